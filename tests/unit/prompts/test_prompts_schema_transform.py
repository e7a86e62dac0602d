"""What is sent of an author's schema: the same as the SDK makes of it, and what the SDK cannot make."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.prompts.schema_transform import transform
from runner.simulator.validate_schema import check_format

TICKET: dict[str, Any] = {
    "type": "object",
    "title": "Ticket",
    "description": "A ticket.",
    "properties": {
        "id": {"type": "string", "format": "uuid", "pattern": "^[0-9a-f-]+$"},
        "when": {"type": "string", "format": "date-time", "description": "When it came."},
        "odd": {"type": "string", "format": "regex", "minLength": 2, "description": "An odd one."},
        "score": {"type": "integer", "minimum": 1, "maximum": 5, "default": 3},
        "label": {"type": "string", "enum": ["bug", "praise"], "title": "Label"},
        "either": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/person", "description": "dropped"}]},
        "both": {"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}}]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 10}, "minItems": 1, "maxItems": 3},
        "pairs": {"type": "array", "items": {"type": "number"}, "minItems": 2, "uniqueItems": True},
        "fixed": {"const": 7, "type": "integer"},
        "lists": {"enum": [[1], [2]], "type": "array"},
        "nothing": {"type": "null"},
        "free": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
    },
    "required": ["id", "label"],
    "additionalProperties": True,
    "$defs": {"person": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}
EXAMPLES = [
    TICKET,
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {}}}},
    {"anyOf": [{"type": "string"}], "type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
    {"type": "boolean", "examples": [True]},
    {"type": "array"},
    {"const": None},
    {"enum": ["a", 1, None, True]},
    {"type": "string", "const": {"a": 1}},
    {"type": "string", "format": ""},
    {"type": "object", "description": "", "title": "", "maxProperties": 2},
]

WORDS = st.sampled_from(["a", "b", "an odd one", "é"])
TOLD = st.fixed_dictionaries(
    {},
    optional={
        "description": WORDS,
        "title": WORDS,
        "default": st.none() | st.integers(-3, 3) | WORDS,
        "examples": st.lists(WORDS, max_size=2),
        "minimum": st.integers(0, 3),
        "minLength": st.integers(0, 3),
        "pattern": st.just("^a$"),
        "maxItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "enum": st.lists(WORDS | st.integers(0, 2) | st.none() | st.just([1]), max_size=3),
        "const": WORDS | st.just({"a": [1]}),
        "format": st.sampled_from(["date", "uuid", "regex", "text"]),
        "minItems": st.integers(0, 3),
        "required": st.lists(WORDS, max_size=2),
        "additionalProperties": st.booleans(),
    },
)


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])},
        optional={
            "properties": st.dictionaries(WORDS, inner, max_size=3),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "$defs": st.dictionaries(WORDS, inner, max_size=2),
            "prefixItems": st.lists(inner, max_size=2),
        },
    )


LEAVES = st.sampled_from(
    [{"type": "string"}, {"type": "integer", "maximum": 3}, {"$ref": "#/$defs/a", "title": "x"}, {"const": 1}]
)
SCHEMAS = st.recursive(
    LEAVES, lambda inner: st.tuples(branches(inner), TOLD).map(lambda two: {**two[1], **two[0]}), max_leaves=8
)


@pytest.mark.parametrize("schema", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_sdk_makes_the_same_of_it(schema: dict[str, Any]) -> None:
    assert as_sent(transform(schema)) == as_sent(anthropic.transform_schema(schema))


@settings(max_examples=400, deadline=None)
@given(SCHEMAS)
def test_the_sdk_makes_the_same_of_any_schema(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    assert as_sent(transform(schema)) == as_sent(anthropic.transform_schema(schema))
    assert schema == before, "the author's own schema is not touched"


def as_sent(schema: Mapping[str, Any]) -> str:
    """With the order of `properties`, which is the order of the answer; that of keywords means nothing."""
    return json.dumps(_ordered(schema))


def _ordered(value: Any, *, names: bool = False) -> Any:
    if isinstance(value, dict):
        keys = list(value) if names else sorted(value)
        return [[key, _ordered(value[key], names=key in ("properties", "$defs") and not names)] for key in keys]
    return [_ordered(one) for one in value] if isinstance(value, list) else value


def test_a_list_of_types_becomes_branches_which_the_sdk_cannot_make() -> None:
    schema = {"type": ["string", "null"], "format": "date", "maxLength": 9, "description": "When."}
    with pytest.raises(AssertionError):
        anthropic.transform_schema(schema)
    assert transform(schema) == {
        "anyOf": [{"type": "string", "format": "date", "description": "{maxLength: 9}"}, {"type": "null"}],
        "description": "When.",
    }


def test_a_list_of_types_with_literals_needs_no_branches() -> None:
    assert transform({"type": ["string", "null"], "enum": ["a", None]}) == {"enum": ["a", None]}


def test_definitions_of_older_drafts_are_kept() -> None:
    schema = {"$ref": "#/definitions/a", "definitions": {"a": {"type": "integer", "minimum": 1}}}
    assert transform(schema) == {
        "definitions": {"a": {"type": "integer", "description": "{minimum: 1}"}},
        "$ref": "#/definitions/a",
    }


def test_names_of_the_schema_itself_are_not_told_to_the_model() -> None:
    assert transform({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "x", "type": "null"}) == {
        "type": "null"
    }


@given(SCHEMAS)
def test_the_simulated_api_takes_whatever_comes_out(schema: dict[str, Any]) -> None:
    check_format({"type": "json_schema", "schema": transform(schema)})
