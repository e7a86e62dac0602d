"""Checking replies: nothing is fetched, nothing takes forever, and what is wrong is said in a bounded text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.spec.reply_schema import ReplyChecker, knows_dialect, schema_faults

OBJECT: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}


def test_the_place_of_each_error_is_named_and_they_are_counted() -> None:
    value = {"a": [1, *map(str, range(9))]}
    assert ReplyChecker(OBJECT).errors(value) == (
        *(f"output.a[{n + 1}]: `\"{n}\"` is not of type 'integer'" for n in range(5)),
        "… and 4 more",
    )


def test_the_branch_that_was_meant_speaks() -> None:
    schema = {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"n": {"maximum": 3}}}]}
    assert ReplyChecker(schema).errors({"n": 4}) == ("output.n: `4` is greater than the maximum of 3",)


def test_a_long_value_is_left_out_of_the_message_and_not_what_is_wrong_with_it() -> None:
    (error,) = ReplyChecker({"type": "integer"}).errors("x" * 100_000)
    assert len(error) < 300
    assert error.endswith("is not of type 'integer'")


def test_a_text_too_long_for_a_pattern_is_not_matched() -> None:
    checker = ReplyChecker({"type": "string", "pattern": "^a*$"})
    assert checker.errors("a" * 10_000) == ()
    assert checker.errors("a" * 10_001) == ("output: it has 10,001 characters, too many for a `pattern`",)


def test_a_reply_nested_deeply_does_not_end_the_run() -> None:
    tree = {"type": "array", "items": {"$ref": "#"}}
    value: Any = orjson.loads("[" * 900 + "]" * 900)
    assert ReplyChecker(tree).errors([[], [[]]]) == ()
    assert ReplyChecker(tree).errors(value) == ("output: it is nested too deeply to be checked",)


def test_branches_that_refer_to_each_other_are_not_followed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each level of a reply doubles the work: 30 of them would keep every other request waiting for an hour."""
    monkeypatch.setattr("runner.spec.reply_schema.MOST_REFERENCES", 1_000)  # the real one takes seconds
    branches = [{"properties": {"kind": {"const": kind}, "of": {"$ref": "#"}}, "required": ["kind"]} for kind in "ab"]
    checker = ReplyChecker({"oneOf": branches})
    value: dict[str, Any] = {"kind": "b"}
    for _ in range(30):
        value = {"kind": "b", "of": value}
    assert checker.errors(value) == ("output: it takes too long to be checked",)
    assert checker.errors(value["of"]["of"]) == ("output: it takes too long to be checked",)
    assert checker.errors({"kind": "b", "of": {"kind": "a"}}) == (), "what one reply took is not held against the next"


def test_a_pattern_that_may_mean_something_else_one_day_is_no_warning() -> None:
    assert ReplyChecker({"pattern": "[[a]b?c?d?e?$"}).errors("xa") == ()


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """Not even what is there to be had; loading a spec refuses such a schema."""
    there = tmp_path / "schema.json"
    there.write_text("{}", encoding="utf-8")
    assert ReplyChecker({"$ref": there.as_uri()}).errors({}) == ("output: a reference in the schema leads nowhere",)


def test_formats_are_not_checked() -> None:
    assert ReplyChecker({"type": "string", "format": "date"}).errors("soon") == ()


def test_a_schema_is_read_as_its_own_draft_says() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]}
    assert ReplyChecker(schema).errors(["a"])
    assert schema_faults(schema) == []
    assert schema_faults({"items": [{"type": "integer"}]}), "2020-12 has no list of `items`"


@pytest.mark.parametrize(
    ("schema", "at"),
    [
        ({"type": "strin"}, ("type",)),
        ({"properties": {"a": {"minimum": "1"}}}, ("properties", "a", "minimum")),
        ({"required": "a"}, ("required",)),
    ],
)
def test_what_is_no_schema(schema: dict[str, Any], at: tuple[str, ...]) -> None:
    assert [path for path, _ in schema_faults(schema)] == [at]


def test_drafts() -> None:
    assert knows_dialect("https://json-schema.org/draft/2020-12/schema")
    assert not knows_dialect("https://example.com/my-draft")
    assert not knows_dialect("http://json-schema.org/draft-03/schema#"), "its references stand in places of their own"
    assert not knows_dialect(7)


def test_a_reference_that_nobody_saw_does_not_end_the_run() -> None:
    schema = {"$dynamicRef": "https://example.com/schema"}
    assert ReplyChecker(schema).errors({}) == ("output: a reference in the schema leads nowhere",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_keys_of_a_reply_are_kept_short_and_on_one_line() -> None:
    (error,) = ReplyChecker({"additionalProperties": {"type": "integer"}}).errors({"a\nb" + "x" * 1000: "`"})
    assert error.startswith('output["a bxxx')
    assert error.endswith("…: `\"'\"` is not of type 'integer'")
    assert len(error) < 350


@settings(deadline=None)
@given(JSON)
def test_any_value_is_answered(value: Any) -> None:
    schema = {**OBJECT, "patternProperties": {"^x": {"uniqueItems": True}}, "not": {"required": ["b"]}}
    assert all(len(error) < 1000 for error in ReplyChecker(schema).errors(value))
