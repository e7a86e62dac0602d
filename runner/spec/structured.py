"""What Claude's structured outputs take of JSON Schema, as facts; what is done about the rest is decided elsewhere.

Sources: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (JSON Schema limitations) and
SDK 2.12.0, `transform_schema`. The lists of the two differ for `default`; the SDK's, which is the narrower, holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.records import Json

FORMATS: Final = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)
SENT: Final = frozenset(("$defs", "definitions", "properties", "items", "anyOf", "oneOf", "allOf"))
"""Keywords whose schemas are sent; those of other keywords are only told in words."""

BRANCHES: Final = ("anyOf", "oneOf", "allOf")  # the first of them counts, as in the SDK
UNSENT: Final = frozenset(("$schema", "$id", "$comment", "$anchor", "$vocabulary"))  # say nothing about the reply
ANNOTATIONS: Final = frozenset(("default", "examples", "deprecated", "readOnly", "writeOnly", "contentMediaType"))
_ALWAYS: Final = frozenset(("$defs", "definitions", "type", *BRANCHES, "description", "title"))
_OF_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "object": ("properties", "additionalProperties", "required"),
    "string": ("format",),
    "array": ("items", "minItems"),
}


def literals(schema: Mapping[str, Json]) -> dict[str, Json]:
    """`enum` and `const`, where they list plain values only."""
    found: dict[str, Json] = {}
    enum = schema.get("enum")
    if isinstance(enum, list) and enum and all(map(is_plain, enum)):
        found["enum"] = list(enum)
    if "const" in schema and is_plain(schema["const"]):
        found["const"] = schema["const"]
    return found


def is_plain(value: Json) -> bool:
    return value is None or isinstance(value, (str, int, float))


def type_of(schema: Mapping[str, Json]) -> str | None:
    """The one type whose keywords count beside it; with literal values none does."""
    kind = schema.get("type")
    return kind if isinstance(kind, str) and not literals(schema) else None


def is_typed(schema: Json) -> bool:
    """Whether it says what the value is in a way that the API takes."""
    if not isinstance(schema, Mapping):
        return False
    known = schema.get("type") or any(isinstance(schema.get(name), list) for name in BRANCHES)
    return "$ref" in schema or bool(known) or bool(literals(schema))


def left_over(schema: Mapping[str, Json]) -> dict[str, Any]:
    """The keywords of one schema that the API refuses, in the order in which the SDK tells them to the model."""
    kind = type_of(schema)
    taken = {*_ALWAYS, *UNSENT, *literals(schema), *_OF_TYPE.get(kind or "", ())}
    left = {name: value for name, value in schema.items() if name not in taken}
    if kind == "string" and schema.get("format") and schema["format"] not in FORMATS:
        left["format"] = schema["format"]
    if kind == "array" and schema.get("minItems") not in (None, 0, 1):
        left["minItems"] = schema["minItems"]
    return left
