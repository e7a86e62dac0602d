"""A JSON value that fits a JSON Schema: simple, and the same for the same schema and seed.

Follows object, array, string, number, integer, boolean, null, enum, const, anyOf, oneOf, allOf (its first) and
local $ref. Not a general generator: a `pattern` is not obeyed, of the formats only date-time, date, email, uri and
uuid are."""

from __future__ import annotations

import random
from typing import Any

MAX_DEPTH = 12
"""Deeper than this a schema that contains itself is cut off with null."""

MAX_ITEMS = 20
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "junco")
FORMATS = {
    "date-time": "2026-11-22T09:28:11Z",
    "date": "2026-11-22",
    "time": "09:28:11Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "7f3a0c52-5b1e-4d0e-9a51-0c6f2d1b8e44",
}


def sample(schema: Any, rng: random.Random) -> Any:
    """A value for the schema; `rng` decides among the possible ones."""
    return _value(schema, schema, rng, 0)


def _value(schema: Any, root: Any, rng: random.Random, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return None
    if "$ref" in schema:
        return _value(_target(root, str(schema["$ref"])), root, rng, depth + 1)
    if "const" in schema:
        return schema["const"]
    if _listed(schema, "enum"):
        return rng.choice(schema["enum"])
    for name in ("anyOf", "oneOf"):
        if _listed(schema, name):
            # the deeper we are the more we prefer the first branch, so that a tree of itself ends
            return _value(rng.choice(schema[name]) if depth < 5 else _flattest(schema[name]), root, rng, depth + 1)
    if _listed(schema, "allOf"):
        return _value(schema["allOf"][0], root, rng, depth + 1)
    return _typed(_type(schema, rng), schema, root, rng, depth)


def _listed(schema: dict[str, Any], name: str) -> bool:
    return isinstance(schema.get(name), list) and bool(schema[name])


def _flattest(branches: list[Any]) -> Any:
    """The branch least likely to go deeper: null, then a plain type, then whatever comes first."""
    plain = [branch for branch in branches if isinstance(branch, dict) and branch.get("type") not in (None, "object")]
    return next((branch for branch in plain if branch["type"] == "null"), (plain or branches)[0])


def _type(schema: dict[str, Any], rng: random.Random) -> str:
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    return str(rng.choice(kind) if isinstance(kind, list) else kind)


def _typed(kind: str, schema: dict[str, Any], root: Any, rng: random.Random, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties")
        inner = properties.items() if isinstance(properties, dict) else ()
        return {name: _value(value, root, rng, depth + 1) for name, value in inner}
    if kind == "array":
        least = schema.get("minItems")
        count = max(min(least, MAX_ITEMS) if isinstance(least, int) else 0, rng.randint(1, 2) if depth < 5 else 0)
        return [_value(schema.get("items", {}), root, rng, depth + 1) for _ in range(count)]
    if kind == "integer":
        return rng.randint(1, 9)
    if kind == "number":
        return rng.randint(0, 100) / 100
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    return FORMATS.get(str(schema.get("format"))) or f"{rng.choice(WORDS)} {rng.choice(WORDS)}"


def _target(root: Any, reference: str) -> Any:
    """What a local reference such as `#/$defs/item` names, else None."""
    found = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found
