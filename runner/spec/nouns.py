"""What a schema takes, in words: `a whole number`, `one of …`, `a string or a map {file: …}`.

Reads the schema's titles, types and branches; knows nothing of errors or documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from runner.spec.suggest import quoted

Schema: TypeAlias = Mapping[str, Any]
TEMPLATE = {"$ref": "#/$defs/template"}
_NOUNS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a map",
    "null": "nothing",
}


class Nouns:
    """The words for the parts of one schema, whose `$defs` the parts refer to."""

    def __init__(self, whole: Schema) -> None:
        self._defs: Schema = whole["$defs"]

    def noun(self, schema: Any) -> str:
        """Its title, else its branches, values or types. Nobody means the template branch who writes no `{{`."""
        schema = self.resolved(schema)
        if "title" in schema:
            return str(schema["title"])
        if "anyOf" in schema:
            return either(self.noun(branch) for branch in schema["anyOf"] if branch != TEMPLATE)
        if "enum" in schema:
            return either(map(quoted, schema["enum"]))
        return either(_NOUNS[one] for one in _types(schema)) or "something else"

    def types(self, schema: Any) -> frozenset[str]:
        """The JSON types it takes; without `string` where only certain strings are taken."""
        schema = self.resolved(schema)
        if "anyOf" in schema:
            return frozenset().union(*(self.types(branch) for branch in schema["anyOf"] if branch != TEMPLATE))
        some_strings = "enum" in schema or "pattern" in schema
        return frozenset(_types(schema)) - ({"string"} if some_strings else set())

    def resolved(self, schema: Any) -> Schema:
        """The schema behind a `$ref`; what stands beside the `$ref` wins."""
        resolved: Schema = schema if isinstance(schema, Mapping) else {}
        while "$ref" in resolved:
            target = self._defs[resolved["$ref"].removeprefix("#/$defs/")]
            beside = {key: value for key, value in resolved.items() if key != "$ref"}
            resolved = {**(target if isinstance(target, Mapping) else {}), **beside}
        return resolved


def either(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *others, last = list(dict.fromkeys(words)) or [""]
    return f"{', '.join(others)} or {last}" if others else last


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)
