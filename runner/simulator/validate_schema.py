"""Checks `output_config.format`: the part of JSON Schema that structured outputs accept.

Rules: https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations; wordings
are guesses after what was seen in public issue trackers."""

from __future__ import annotations

from typing import Any

from runner.simulator.errors import Rejected

PATH = "output_config.format"
UNSUPPORTED = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties", "patternProperties",
)  # fmt: skip


def check_format(value: Any) -> None:
    """A `{"type": "json_schema", "schema": {…}}`."""
    if not isinstance(value, dict):
        raise Rejected(f"{PATH}: Input should be a valid dictionary")
    for name in ("type", "schema"):
        if name not in value:
            raise Rejected(f"{PATH}.{name}: Field required")
    if value["type"] != "json_schema":
        raise Rejected(f"{PATH}.type: Input should be 'json_schema'")
    for name in value:
        if name not in ("type", "schema"):
            raise Rejected(f"{PATH}.{name}: Extra inputs are not permitted")
    if not isinstance(value["schema"], dict):
        raise Rejected(f"{PATH}.schema: Input should be a valid dictionary")
    _check_schema(value["schema"])


def _check_schema(schema: dict[str, Any]) -> None:
    """One schema and those inside it."""
    kind = schema.get("type")
    if kind == "object" and schema.get("additionalProperties") is not False:
        raise Rejected(f"{PATH}.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name in UNSUPPORTED:
        if name in schema:
            raise Rejected(f"{PATH}.schema: For '{kind}' type, property '{name}' is not supported")
    reference = schema.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        raise Rejected(f"{PATH}.schema: External $ref is not supported: {reference}")
    for inner in _inner(schema):
        if isinstance(inner, dict):
            _check_schema(inner)


def _inner(schema: dict[str, Any]) -> list[Any]:
    inner: list[Any] = []
    for name in ("properties", "$defs", "definitions"):
        if isinstance(schema.get(name), dict):
            inner += schema[name].values()
    for name in ("anyOf", "allOf", "oneOf", "prefixItems"):
        if isinstance(schema.get(name), list):
            inner += schema[name]
    return [*inner, schema.get("items")]
