"""Rules about `cache: {warm_up: true}`: a request that asks for no output writes each shared prefix before any other.

The API refuses `max_tokens: 0` beside a reply format, thinking with a budget and a forced tool. A warm-up leaves those
out, which is right only where what it writes is still what the others read: a format is part of every prefix, the other
two of a prefix that reaches into the messages.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#what-invalidates-the-cache
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from runner.errors import Problem
from runner.spec.gather import problem_at
from runner.spec.job import OutputSpec
from runner.spec.lint_facts import CellFacts

RULE: Final = "cache-warm-up"
_LEADER: Final = "remove `warm_up`: the first request that shares a prefix then goes ahead of the others"


def warm_up_has_something_to_do(facts: CellFacts) -> Iterator[Problem]:
    why = {"off": "nothing is cached", "automatic": "`automatic` has each request write its own text"}
    if facts.cache.warm_up and facts.cache.mode in why:
        what = f"there is nothing to warm up: {why[facts.cache.mode]}"
        yield _problem(facts, what, "write `mode: shared`, or remove `warm_up`", warn=True)


def warm_up_writes_what_is_read(facts: CellFacts) -> Iterator[Problem]:
    if not facts.cache.warm_up or facts.cache.mode in ("off", "automatic"):
        return
    if _has_format(facts):
        what = "a warm-up cannot ask for a reply format, and without it it writes a prefix that no request reads"
        yield _problem(facts, what, f"{_LEADER}; or write `output: {{mode: text}}`")
    elif (left_out := _left_out(facts)) and _reaches_messages(facts):
        what = f"a warm-up cannot have {left_out}, and without it it writes messages that no request reads"
        yield _problem(facts, what, _LEADER)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    warm_up_has_something_to_do,
    warm_up_writes_what_is_read,
)


def _problem(facts: CellFacts, what: str, step: str, *, warn: bool = False) -> Problem:
    severity: Literal["error", "warning"] = "warning" if warn else "error"
    return problem_at(facts.doc, RULE, what, ("cache", "warm_up"), next=step, severity=severity)


def _has_format(facts: CellFacts) -> bool:
    output = facts.literal("output")
    extra = facts.literal("extra_body")
    config = extra.get("output_config") if isinstance(extra, Mapping) else None
    native = isinstance(output, OutputSpec) and output.schema is not None and output.mode == "native"
    return native or (isinstance(config, Mapping) and "format" in config)


def _left_out(facts: CellFacts) -> str | None:
    """What the API refuses beside `max_tokens: 0` and does not cache tools and system prompt by."""
    thinking, choice = facts.literal("thinking"), facts.literal("tool_choice")
    if isinstance(thinking, Mapping) and thinking.get("type") == "enabled":
        return "thinking with a budget"
    forced = isinstance(choice, Mapping) and choice.get("type") in ("any", "tool")
    return "a forced tool" if forced else None


def _reaches_messages(facts: CellFacts) -> bool:
    """Whether a shared prefix may end in the messages: behind an attachment or an earlier message."""
    messages = facts.fields["messages"].value if "messages" in facts.fields else ()
    return "attachments" in facts.fields or len(messages) > 1
