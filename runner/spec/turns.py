"""Scripted turns: from `turns` as a spec or a row writes it to the form that the rest of the program uses.

A compiled turn is `{"user": content, "systems": [content, …], "when": Expression or None, "index": 2}`; a system
message belongs to the user turn it stands before. Reads no replies and renders nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from runner.errors import Problem
from runner.records import Json
from runner.spec.document import Path

if TYPE_CHECKING:
    from runner.spec.fields import Compiler

Turn: TypeAlias = dict[str, Any]
Content: TypeAlias = "Callable[[Json, Path, Compiler], Any]"


class TurnFault(Exception):
    """Turns that a row gives and that make no conversation."""

    def __init__(self, what: str, next: str = "write each as `{user: …}` or `{system: …}`") -> None:
        super().__init__(what)
        self.problem = Problem("wrong-value", what, next=next)


def compile_turns(value: Json, path: Path, compiler: Compiler, content: Content) -> Any:
    """A list of turns, or the template of the one expression that gives them. content: compiles a text or blocks."""
    if isinstance(value, str):
        return compiler.text(value, path)
    turns: list[Turn] = []
    systems: list[Any] = []
    for i, entry in enumerate(value):
        if "system" in entry:
            systems.append(content(entry["system"], (*path, i, "system"), compiler))
            continue
        when = _when(entry, (*path, i, "when"), compiler)
        turns.append(_turn(content(entry["user"], (*path, i, "user"), compiler), systems, when, i))
        systems = []
    if systems:
        step = "move it before the user turn that it is for"
        what = "a system message goes with the user turn behind it, and there is none"
        compiler.gathered.add("message-order", what, (*path, len(value) - 1), next=step)
    return turns


def literal_turns(value: Json) -> list[Turn]:
    """The turns of one row's data: texts or maps with `user` or `system`. Raises TurnFault."""
    if not isinstance(value, list) or not value:
        raise TurnFault("`turns` renders to something that is no list of turns", "give a list, such as `[{user: …}]`")
    turns: list[Turn] = []
    systems: list[Json] = []
    for i, entry in enumerate(value):
        role, content = _literal(entry, i)
        if role == "system":
            systems.append(content)
            continue
        turns.append(_turn(content, systems, None, i))
        systems = []
    if systems:
        raise TurnFault(f"`turns[{len(value) - 1}]`: a system message goes with the user turn behind it", "move it")
    return turns


def wrong_turns(value: Json) -> str | None:
    """What is wrong with turns that a row gives, None when nothing is."""
    try:
        literal_turns(value)
    except TurnFault as fault:
        return str(fault)
    return None


def _turn(user: Any, systems: list[Any], when: Any, index: int) -> Turn:
    return {"user": user, "systems": systems, "when": when, "index": index}


def _when(entry: Mapping[str, Json], path: Path, compiler: Compiler) -> Any:
    if "when" not in entry:
        return None
    with compiler.gathered.catching(path):
        return compiler.templates.expression(str(entry["when"]), compiler.gathered.doc.text_line(path))
    return None


def _literal(entry: Json, index: int) -> tuple[str, Json]:
    if isinstance(entry, str):
        entry = {"user": entry}
    if isinstance(entry, Mapping) and "when" in entry:
        raise TurnFault(f"`turns[{index}]`: a row's turns are literal, `when` is for the spec", "leave the turn out")
    if not isinstance(entry, Mapping) or len(entry) != 1 or not {"user", "system"} & entry.keys():
        raise TurnFault(f"`turns[{index}]` is no turn: a text, `{{user: …}}` or `{{system: …}}`")
    role, content = next(iter(entry.items()))
    blocks = [content] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not blocks or not all(map(_is_text, blocks)):
        raise TurnFault(f"`turns[{index}].{role}` is no text", "write a string or a list of text blocks")
    return role, content if isinstance(content, str) else [_block(block) for block in blocks]


def _is_text(block: Json) -> bool:
    """Text that is not blank, which the API would refuse, as a string or as a block."""
    text = block.get("text") if isinstance(block, Mapping) and block.get("type", "text") == "text" else block
    return isinstance(text, str) and bool(text.strip())


def _block(block: Json) -> Json:
    return {"type": "text", "text": block if isinstance(block, str) else block["text"]}


def turn_contents(turns: Any) -> Iterator[tuple[Path, Any]]:
    """(place in `turns`, content) of every message of compiled turns, as lint wants them."""
    for turn in turns if isinstance(turns, list) else ():
        index = turn["index"]
        first = index - len(turn["systems"])
        for i, system in enumerate(turn["systems"]):
            yield (first + i, "system"), system
        yield (index, "user"), turn["user"]
