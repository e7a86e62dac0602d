from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.simulator.sample import sample

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["name", "next"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
SCHEMAS = [
    {"type": "string"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"enum": ["a", 2, None]},
    {"const": {"x": 1}},
    {"type": "string", "format": "date-time"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1},
    {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"enum": ["a"]}}]},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}]},
    {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/a~1b"}, "c": {"type": "boolean"}},
        "required": ["a", "c"],
        "$defs": {"a/b": {"enum": [7]}},
    },
    TREE,
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("seed", range(8))
def test_a_sample_fits_its_schema(schema, seed):
    Draft202012Validator(schema).validate(sample(schema, random.Random(seed)))


def test_the_same_seed_gives_the_same_sample():
    assert sample(TREE, random.Random(1)) == sample(TREE, random.Random(1))
    assert len({sample({"type": "integer"}, random.Random(seed)) for seed in range(30)}) > 3


def test_a_schema_of_itself_ends():
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"type": "array", "items": {"$ref": "#"}}}}
    assert len(orjson.dumps(sample(endless, random.Random(0)))) < 1_000_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**9) | st.sampled_from(["object", "array", "#", "#/x", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "anyOf", "allOf", "$ref", "minItems", "format"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(VALUES)
def test_a_senseless_schema_still_gives_json(schema):
    orjson.dumps(sample(schema, random.Random(0)))
