"""JSON Schemas as data: their parts, where references lead, and which of them lead in a circle. Holds no rules.

Paths are steps from the schema's root: `("properties", "age", "minimum")`. Keywords: https://json-schema.org/
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final
from urllib.parse import unquote

from runner.records import Json
from runner.spec.document import Path

_MAPS: Final = ("properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE: Final = (
    "items", "additionalItems", "unevaluatedItems", "contains", "additionalProperties", "unevaluatedProperties",
    "propertyNames", "not", "if", "then", "else",
)  # fmt: skip
EVERYWHERE: Final = frozenset((*_MAPS, *_LISTS, *_SINGLE))
APPLIED: Final = EVERYWHERE - {"$defs", "definitions"}
SAME_VALUE: Final = frozenset(("anyOf", "oneOf", "allOf", "not", "if", "then", "else"))
"""Keywords whose schemas are about the same value, not about one inside it."""


def children(schema: Json, keywords: Collection[str] = EVERYWHERE) -> Iterator[tuple[Path, Json]]:
    """The schemas right inside one."""
    if not isinstance(schema, Mapping):
        return
    for keyword, inner in schema.items():
        if keyword not in keywords:
            continue
        if keyword in _MAPS and isinstance(inner, Mapping):
            yield from (((keyword, name), one) for name, one in inner.items())
        elif keyword in _SINGLE and isinstance(inner, (Mapping, bool)):
            yield (keyword,), inner
        elif isinstance(inner, list):
            yield from (((keyword, i), one) for i, one in enumerate(inner))


def parts(schema: Json, keywords: Collection[str] = EVERYWHERE, at: Path = ()) -> Iterator[tuple[Path, Json]]:
    """The schema and all those inside it, from outside to inside."""
    yield at, schema
    for path, inner in children(schema, keywords):
        yield from parts(inner, keywords, (*at, *path))


def references(schema: Json) -> dict[Path, str]:
    """Where a `$ref` stands → what it says."""
    return {
        path: part["$ref"]
        for path, part in parts(schema)
        if isinstance(part, Mapping) and isinstance(part.get("$ref"), str)
    }


def target(schema: Json, reference: str) -> tuple[Path, Json] | None:
    """Where `#/$defs/item` leads and what stands there; None for what is no such path, or leads nowhere."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    path: Path = ()
    found = schema
    for step in unquote(reference).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            path, found = (*path, int(name)), found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            path, found = (*path, name), found[name]
        else:
            return None
    return (path, found) if isinstance(found, (Mapping, bool)) else None


def circle(schema: Json, keywords: Collection[str] = APPLIED) -> Path | None:
    """The place of a `$ref` that leads back to itself through these keywords, None when there is none."""
    targets = {path: target(schema, reference) for path, reference in references(schema).items()}
    graph: dict[Path, set[Path]] = {}
    for path, found in targets.items():
        start, part = found or ((), True)
        graph[path] = {place for place, _ in parts(part, keywords, start) if place in targets}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        round_trip: list[Path] = error.args[1]
        return min(round_trip, key=str)
    return None
