"""Scripted conversations: which user turn comes next, and the messages it adds. Sends nothing, keeps nothing.

A script is a list of compiled turns `{"user", "systems", "when", "index"}` (`spec.turns`). Templates of a turn see the
replies so far as `replies`; during planning there are none, so those that read them are tried with stand-ins.
https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages: a system message follows a
user's, so a turn's own come right behind its user message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from runner.errors import Problem
from runner.prompts.body import rendered
from runner.prompts.faults import FieldFault
from runner.prompts.key import json_bytes
from runner.records import Json
from runner.spec.template import Expression, Template, TemplateFailure, names_in
from runner.spec.turns import TurnFault, literal_turns

REPLIES: Final = "replies"
_STAND_IN: Final = "(what the model will reply)"

Turn = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """The turns of one request. first: the turn that its first call asks; messages: what that call sends.

    names: what the templates of later turns see. key: what the request's key is made of.
    """

    turns: Sequence[Turn]
    first: int
    messages: list[Json]
    names: Mapping[str, Json]
    key: Mapping[str, Json]


def script_of(value: Any, context: Mapping[str, Json]) -> Script:
    """The script of one row, its first turn rendered and the later ones tried. Raises TemplateFailure, FieldFault."""
    turns = _of_row(value, context) if isinstance(value, Template) else value
    found = next_turn(turns, 0, context, ())
    if found is None:
        step = "let one of the turns have no `when`, or leave the row out with `where`"
        raise FieldFault(Problem("empty-value", "`when` skips every turn of `turns`", next=step))
    first, messages = found
    for number, turn in enumerate(turns[first + 1 :], start=1):
        _try(turn, context, number)
    key = _key(turns[first + 1 :], context)
    json_bytes(key)  # raises NotJson
    read = frozenset().union(*map(names_in, turns[first + 1 :]))
    return Script(turns, first, messages, {name: context[name] for name in read if name in context}, key)


def next_turn(
    turns: Sequence[Turn], start: int, names: Mapping[str, Json], replies: Sequence[Json]
) -> tuple[int, list[Json]] | None:
    """The first turn from `start` on that `when` does not skip, and its messages. None: the conversation is over.

    Raises TemplateFailure, FieldFault and, for a file that cannot be read, SpecError.
    """
    known = {**names, REPLIES: list(replies)}
    for index in range(start, len(turns)):
        if _wanted(turns[index], known):
            return index, turn_messages(turns[index], known)
    return None


def turn_messages(turn: Turn, known: Mapping[str, Json]) -> list[Json]:
    """The user's message, and behind it the system's if there is one; several of those become its blocks."""
    user = {"role": "user", "content": _content(turn["user"], known, turn["index"])}
    systems = [_content(system, known, turn["index"]) for system in turn["systems"]]
    if not systems:
        return [user]
    content = systems[0] if len(systems) == 1 else [block for one in systems for block in _as_blocks(one)]
    return [user, {"role": "system", "content": content}]


def _wanted(turn: Turn, known: Mapping[str, Json]) -> bool:
    when = turn["when"]
    return bool(when.evaluate(known)) if isinstance(when, Expression) else True


def _content(value: Any, known: Mapping[str, Json], index: int) -> Json:
    try:
        return rendered("messages", [{"role": "user", "content": value}], known)[0]["content"]
    except FieldFault as fault:
        what = fault.problem.what.replace("messages[0].content", f"turns[{index}]")
        raise FieldFault(replace(fault.problem, what=what)) from None


def _as_blocks(content: Json) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _of_row(template: Template, context: Mapping[str, Json]) -> Sequence[Turn]:
    """The turns that one expression gives for a row: data, so nothing in it is a template."""
    try:
        return literal_turns(template.render(context))
    except TurnFault as fault:
        raise FieldFault(replace(fault.problem, where=template.where)) from None


# ---------------------------------------------------------------- planning


class _Anything(dict[str, Any]):
    """A stand-in for structured output: whatever is looked up in it is there."""

    def __missing__(self, key: object) -> _Anything:
        return _Anything()


def _try(turn: Turn, context: Mapping[str, Json], number: int) -> None:
    """Render a later turn as far as that is possible before there are replies; raises what is surely wrong."""
    stand_ins = [{"text": _STAND_IN, "output": _Anything(), "stop_reason": "end_turn"} for _ in range(number)]
    known = {**context, REPLIES: stand_ins}
    try:
        if _wanted(turn, known) or REPLIES in names_in(turn["when"]):
            turn_messages(turn, known)
    except TemplateFailure as failure:
        if _short_of_replies(turn, known, failure.problem):
            what = f"an item of `replies` is read that is never there: this turn has at most {number} before it"
            problem = replace(failure.problem, what=what, next="`replies[-1]` is the last one, `replies[0]` the first")
            raise TemplateFailure(problem) from None
        if REPLIES not in names_in(turn) or _surely_wrong(failure.problem):
            raise
    except FieldFault:
        if REPLIES not in names_in(turn):
            raise


def _short_of_replies(turn: Turn, known: Mapping[str, Any], problem: Problem) -> bool:
    """Whether the turn would render if only there were more replies, which there never are.

    A turn that its `when` leaves out with these is not judged: it may ask how many replies there are.
    """
    if problem.rule != "template-undefined" or not _wanted_or_fails(turn, known):
        return False
    try:
        more = {**known, REPLIES: known[REPLIES] * 100}
        if _wanted(turn, more):
            turn_messages(turn, more)
    except (TemplateFailure, FieldFault):
        return False
    return True


def _wanted_or_fails(turn: Turn, known: Mapping[str, Any]) -> bool:
    try:
        return _wanted(turn, known)
    except TemplateFailure:
        return True


def _surely_wrong(problem: Problem) -> bool:
    """Whether a name is missing that no reply could bring: a column, a variable, a field of a reply."""
    return problem.rule == "template-undefined" and "` is not " in problem.what and _STAND_IN not in problem.what


def _key(turns: Sequence[Turn], context: Mapping[str, Json]) -> dict[str, Json]:
    """What determines the later questions: turns as rendered, or unrendered with the variables they read when they
    depend on replies. Those that `when` skips whatever the replies are do not count."""
    known = {**context, REPLIES: []}
    parts: list[Json] = []
    read: set[str] = set()
    for turn in turns:
        names = names_in(turn)
        if REPLIES in names:
            read |= names
            parts.append({name: _source(turn[name]) for name in ("user", "systems", "when")})
        elif _wanted(turn, known):
            parts.append(turn_messages(turn, known))
    return {"turns": parts, "variables": {name: _plain(context[name]) for name in read if name in context}}


def _source(tree: Any) -> Json:
    if isinstance(tree, (Template, Expression)):
        return {"template": tree.source}
    if isinstance(tree, Mapping):
        return {name: _source(value) for name, value in tree.items()}
    return [_source(value) for value in tree] if isinstance(tree, (list, tuple)) else tree


def _plain(value: Json) -> Json:
    """A row of files does not list its text, and gives it when asked."""
    if not isinstance(value, Mapping) or type(value) is dict:
        return value
    return {**value, **dict(_text(value))}


def _text(row: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    try:
        yield "text", row["text"]
    except KeyError:
        return


def scripted(asked: Mapping[str, Json], script: Script | None) -> Mapping[str, Json]:
    """What a request's key is made of: its first call, and the script of those that come after it."""
    return asked if script is None else {**asked, **script.key}
