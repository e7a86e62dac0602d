"""An author's JSON Schema → the schema that structured outputs accept: the rest of it is told to the model in words.

Does what `anthropic.transform_schema` of SDK 2.12.0 does, which cannot be imported without the SDK; a test compares
the two. It goes further in four places: a list of types becomes `anyOf`, `definitions` are kept like `$defs`,
`$schema` and its like are left out, and what the SDK cannot do raises nothing here: loading the spec refuses it.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.records import Json
from runner.spec.structured import BRANCHES, FORMATS, left_over, literals, type_of

_DEFINITIONS: Final = ("$defs", "definitions")
_FOR_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset(("format", "pattern", "minLength", "maxLength", "contentEncoding", "contentMediaType")),
    "number": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    "array": frozenset(
        ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains")
    ),
    "object": frozenset(
        ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
         "maxProperties", "dependentRequired", "dependentSchemas")
    ),
}  # fmt: skip
_NOT_SHARED: Final = frozenset(("type", *_DEFINITIONS)).union(*_FOR_TYPE.values())


def transform(schema: Mapping[str, Json]) -> dict[str, Any]:
    """The schema to send. The one given is not changed."""
    made: dict[str, Any] = {
        name: {key: _inner(one) for key, one in schema[name].items()} for name in _DEFINITIONS if name in schema
    }
    if "$ref" in schema:
        return {**made, "$ref": schema["$ref"]}
    fixed = literals(schema) | _branches(schema)
    if isinstance(schema.get("type"), list) and not fixed:
        return {**made, **transform(_one_type_each(schema))}
    made |= fixed
    kind = type_of(schema)
    if kind and not any(name in made for name in BRANCHES):
        made["type"] = kind
    made |= {name: schema[name] for name in ("description", "title") if schema.get(name) is not None}
    made |= _typed(kind, schema)
    return _told(made, left_over(schema))


def _inner(schema: Json) -> Any:
    return transform(schema) if isinstance(schema, Mapping) else {}


def _branches(schema: Mapping[str, Json]) -> dict[str, Any]:
    """The first of `anyOf`, `oneOf`, `allOf`; `oneOf` is sent as `anyOf`."""
    for name in BRANCHES:
        if isinstance(schema.get(name), list):
            return {"anyOf" if name == "oneOf" else name: [_inner(one) for one in schema[name]]}
    return {}


def _typed(kind: str | None, schema: Mapping[str, Json]) -> dict[str, Any]:
    """What the API takes of the keywords of one type."""
    if kind == "object":
        made: dict[str, Any] = {
            "properties": {name: _inner(one) for name, one in schema.get("properties", {}).items()},
            "additionalProperties": False,
        }
        return made | ({"required": list(schema["required"])} if "required" in schema else {})
    if kind == "string":
        return {"format": schema["format"]} if schema.get("format") in FORMATS else {}
    if kind == "array":
        items = {"items": _inner(schema["items"])} if schema.get("items") is not None else {}
        return items | ({"minItems": schema["minItems"]} if schema.get("minItems") in (0, 1) else {})
    return {}


def _told(made: dict[str, Any], left: Mapping[str, Json]) -> dict[str, Any]:
    """What cannot be enforced is written behind the description, for the model to follow."""
    if not left:
        return made
    words = "{" + ", ".join(f"{name}: {value}" for name, value in left.items()) + "}"
    return {**made, "description": f"{made['description']}\n\n{words}" if "description" in made else words}


def _one_type_each(schema: Mapping[str, Json]) -> dict[str, Json]:
    """`type: [string, "null"]` as branches, each with the keywords of its type."""
    whole = {name: value for name, value in schema.items() if name not in _NOT_SHARED}
    return {**whole, "anyOf": [_of_one_type(kind, schema) for kind in schema["type"]]}


def _of_one_type(kind: str, schema: Mapping[str, Json]) -> dict[str, Json]:
    own = _FOR_TYPE.get("number" if kind == "integer" else kind, frozenset())
    return {"type": kind, **{name: value for name, value in schema.items() if name in own}}
