"""Rules about prompt caching: marks that the API refuses or ignores, and what silently keeps a prefix from being read.

API facts: https://platform.claude.com/docs/en/build-with-claude/prompt-caching. What depends on how many rows share
something is the plan's to say (`prompts/cache_advice.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from runner.errors import Problem
from runner.models.caching import least_tokens
from runner.models.text_size import BYTES_PER_TOKEN
from runner.spec.caching import OWN_NAMES, marks_in, place_of, shown_name, templates_in
from runner.spec.lint_facts import CellFacts
from runner.spec.template import Template

MOST_BREAKPOINTS: Final = 4
_CLOCK: Final = re.compile(
    r"(?:^|_)(?:now|today|date|datetime|time|timestamp|clock|uuid|nonce|random)(?:_|$)", re.IGNORECASE
)
_TOJSON: Final = re.compile(r"\{\{(?:(?!\}\}).)*\|\s*tojson\b", re.DOTALL)


def marks_have_a_meaning(facts: CellFacts) -> Iterator[Problem]:
    """`cache: true` is for `manual`, and goes with the API's automatic breakpoint."""
    mode = facts.cache.mode
    if mode in ("manual", "automatic"):
        return
    for name in _marked_fields(facts):
        what = f"`cache: true` means nothing beside `cache: {mode}`"
        yield facts.report("not-allowed", what, name, next="write `cache: manual`, or remove the mark")


def four_breakpoints(facts: CellFacts) -> Iterator[Problem]:
    """The API takes four; its automatic one counts."""
    marks = len(list(marks_in(_values(facts))))
    automatic = facts.cache.mode == "automatic"
    if marks + automatic > MOST_BREAKPOINTS:
        own = " with the automatic one" if automatic else ""
        what = f"there are {marks + automatic} cache breakpoints{own}; the API takes {MOST_BREAKPOINTS}"
        yield facts.report(
            "cache-breakpoints", what, _marked_fields(facts)[-1], next="keep the marks behind what changes least"
        )


def longer_lives_first(facts: CellFacts) -> Iterator[Problem]:
    """An hour's breakpoint may not follow one of five minutes."""
    job = "1h" if facts.cache.ttl == "1h" else "5m"
    lives = [mark.get("ttl", job) for mark in marks_in(_values(facts))]
    if facts.cache.mode == "automatic":
        lives.append(job)
    if "1h" in lives[lives.index("5m") :] if "5m" in lives else False:
        what = "a breakpoint with `ttl: 1h` comes after one with `5m`, which the API refuses"
        step = "give the earlier one `1h` as well, or write `cache: {mode: manual, ttl: 1h}` for all"
        yield facts.report("cache-ttl-order", what, _marked_fields(facts)[-1], next=step)


def long_enough(facts: CellFacts) -> Iterator[Problem]:
    """A prefix under the model's minimum is silently not cached; said to those who asked for caching."""
    model, size = facts.literal("model"), _literal_prefix(facts)
    if not isinstance(model, str) or size is None or not _asked_for(facts):
        return
    least, known = least_tokens(model)
    tokens = round(size / BYTES_PER_TOKEN)
    if tokens < least:
        minimum = f"`{model}` caches nothing under {least:,} tokens"
        if not known:
            minimum = f"the minimum of `{model}` is not known, {least:,} tokens are assumed"
        what = f"the system prompt has about {tokens:,} tokens, {least - tokens:,} too few: {minimum}"
        step = "move more of what all rows share into it, or write `cache: off`"
        yield facts.report("cache-too-short", what, "system", next=step, severity="warning")


def no_clock(facts: CellFacts) -> Iterator[Problem]:
    """A time of day in the shared part makes every run write it anew, and every answer ever paid for look new."""
    for template in _shared_templates(facts):
        for name in sorted(template.names - OWN_NAMES | _attributes(template)):
            if _CLOCK.search(name):
                shown = shown_name(template, name)
                what = f"`{shown}` looks like a clock inside what requests share: every change of it is a new prefix"
                step = f"move `{{{{ {shown} }}}}` into the prompt, behind what stays the same"
                place = place_of(template, name)
                yield Problem("cache-clock", what, place, _path(facts), step, "warning")


def sorted_json(facts: CellFacts) -> Iterator[Problem]:
    """`tojson` keeps the order of a map's keys, which two rows may have differently."""
    for template in _shared_templates(facts):
        for found in _TOJSON.finditer(template.source):
            what = "`tojson` keeps the order of the keys: maps that are equal but ordered differently make two prefixes"
            step = "have whatever makes the rows sort the keys, or move the JSON into the prompt"
            yield Problem("cache-unsorted", what, template.line_at(found.start()), _path(facts), step, "warning")


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    marks_have_a_meaning,
    four_breakpoints,
    longer_lives_first,
    long_enough,
    no_clock,
    sorted_json,
)


def _values(facts: CellFacts) -> Mapping[str, Any]:
    return {name: field.value for name, field in facts.fields.items()}


def _marked_fields(facts: CellFacts) -> list[str]:
    return [name for name, field in facts.fields.items() if any(marks_in({name: field.value}))]


def _path(facts: CellFacts) -> str:
    return "system" if "system" in facts.fields else ""


def _asked_for(facts: CellFacts) -> bool:
    if facts.cache.mode == "manual":
        return "system" in _marked_fields(facts)
    return facts.cache.mode == "shared" and facts.cache.where is not None


def _literal_prefix(facts: CellFacts) -> int | None:
    """Bytes of a literal system prompt that nothing stands before or behind that could be cached with it."""
    if {"tools", "attachments", "mcp_servers"} & facts.fields.keys() or facts.literal("system") is None:
        return None
    messages = facts.fields["messages"].value if "messages" in facts.fields else ()
    if len(messages) > 1:
        return None
    system = facts.literal("system")
    blocks = [system] if isinstance(system, str) else [str(block.get("text", "")) for block in system]
    return sum(len(text.encode()) for text in blocks)


def _shared_templates(facts: CellFacts) -> Iterator[Template]:
    """The templates of a system prompt that is long enough for caching to matter."""
    if facts.cache.mode == "off" or "system" not in facts.fields:
        return
    templates = list(templates_in(facts.fields["system"].value))
    model = facts.literal("model")
    least, _ = least_tokens(model if isinstance(model, str) else "")
    if _asked_for(facts) or sum(len(one.source) for one in templates) / BYTES_PER_TOKEN >= least:
        yield from templates


def _attributes(template: Template) -> frozenset[str]:
    """What is read of `row` and `vars`: `vars.today`."""
    return frozenset(re.findall(r"\b(?:row|vars)\.(\w+)", template.source))
