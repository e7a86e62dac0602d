"""The key `cache`, and the `cache: true` beside a text: what a spec says about prompt caching, in one form.

A marked text becomes a block that carries the API's `cache_control`; the job's `ttl` is filled in when its body is
made. Says nothing about what is shared: that is the plan's to find out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, cast

from runner.records import Json
from runner.spec.document import Document
from runner.spec.job import CacheSpec, CellSpec, Varying
from runner.spec.template import Template

WHOLE: Final = "whole"
"""In a `cache_control`: the block stands for a text that would be a plain string without the mark."""

OWN_NAMES: Final = frozenset({"vars", "matrix", "repeat"})


def cache_spec(tree: Mapping[str, Json], doc: Document, *, marked: bool) -> CacheSpec:
    """The key `cache` as written, with defaults. marked: whether `cache: true` stands anywhere in the spec."""
    written = tree.get("cache")
    parts: Mapping[str, Any] = written if isinstance(written, Mapping) else {} if written is None else {"mode": written}
    mode = parts.get("mode", "manual" if marked else "shared")
    return CacheSpec(
        mode=cast(Literal["shared", "automatic", "manual", "off"], mode),
        ttl=parts.get("ttl", "auto"),
        diagnose=parts.get("diagnose", False),
        warm_up=parts.get("warm_up", False),
        where=None if written is None else doc.key_where(("cache",)),
    )


# ---------------------------------------------------------------- marks


def control_of(written: Mapping[str, Json]) -> dict[str, Json]:
    """`{"cache_control": …}` for a block that says `cache: true` or the API's own spelling, else `{}`."""
    if "cache_control" in written:
        return {"cache_control": written["cache_control"]}
    return {"cache_control": {"type": "ephemeral"}} if written.get("cache") else {}


def marked_text(text: Any, written: Mapping[str, Json]) -> Any:
    """The text of `{file: …}`, or a block of it when it is marked; equal requests stay equal either way."""
    if not written.get("cache"):
        return text
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", WHOLE: True}}]


def marks_in(tree: Any) -> Iterator[Mapping[str, Json]]:
    """Every `cache_control` in the request fields of a cell, in the order of its body."""
    for tool in tree.get("tools") or ():
        yield from _marks({name: tool[name] for name in ("cache", "cache_control") if name in tool})
    for name in ("system", "attachments", "messages"):
        yield from _marks(tree.get(name))


def _marks(tree: Any) -> Iterator[Mapping[str, Json]]:
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if name == "cache_control" and isinstance(value, Mapping):
                yield value
            elif name == "cache" and value is True:
                yield {"type": "ephemeral"}
            else:
                yield from _marks(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from _marks(item)


# ---------------------------------------------------------------- what varies


def varying(cells: Iterable[CellSpec]) -> tuple[Varying, ...]:
    """The names of rows that the system prompts of these cells read, each at its place, in order."""
    found: dict[Varying, None] = {}
    for cell in cells:
        known = OWN_NAMES | cell.vars.keys() | cell.values.keys()
        for template in templates_in(cell.fields.get("system")):
            for name in sorted(template.names - known):
                found[Varying("system", shown_name(template, name), place_of(template, name))] = None
    return tuple(found)


def templates_in(tree: Any) -> Iterator[Template]:
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, (Mapping, list)):
        for item in tree.values() if isinstance(tree, Mapping) else tree:
            yield from templates_in(item)


def place_of(template: Template, name: str) -> Any:
    """Where a template first reads a name; its beginning when an included file does."""
    found = _reading(name).search(template.source)
    return template.where if found is None else template.line_at(found.start())


def shown_name(template: Template, name: str) -> str:
    """`row.name` as far as it is written, else the name itself."""
    found = _reading(name).search(template.source)
    return found[1] if found else name


def _reading(name: str) -> re.Pattern[str]:
    return re.compile(r"\{[{%][^{}]*?\b(" + re.escape(name) + r"\b(?:\.\w+)*)")
