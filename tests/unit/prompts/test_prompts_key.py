"""Keys: what makes two requests one, and that keys made yesterday are the keys of today."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from request_key import request_key

from runner.prompts.key import PARTS, NotJson, canonical_json, json_bytes, key_and_parts

BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [{"role": "user", "content": "Grüße & <b>, 1.5"}],
}
SMALL: dict[str, Any] = {"model": "m", "max_tokens": 0, "messages": [], "x": [1.5, None, True]}


@pytest.mark.parametrize(
    ("service", "betas", "body", "repeat", "key"),
    [
        ("anthropic", (), BODY, 0, "3e1c119d78d263f4af2a8ec5144fb41beb8790bac0c70fe2f43e8849f70925a4"),
        ("anthropic", (), BODY, 1, "a586df813b524e1f22884482183073d687df11abb1bc7a44c8ffca14d7227405"),
        (
            "anthropic https://proxy.example",
            ("b", "a"),
            BODY,
            0,
            "17238457f53c2457621f9d3f2be8d84a0752895f0a6429f9ac97c1be8d84d2b1",
        ),
        ("anthropic", (), SMALL, 0, "89bce0014a41164e4edbfeb0c5be00c7b0666886f9e856bcb0343bb53e117a1c"),
    ],
)
def test_keys_never_change_by_accident(service: str, betas: Any, body: Any, repeat: int, key: str) -> None:
    """Whoever changes one of these makes every answer ever paid for look new: raise `v` and say so."""
    assert request_key(service, betas, body, repeat) == key


def test_the_key_is_the_hash_that_the_design_says() -> None:
    from hashlib import sha256

    asked = {"v": 1, "service": "anthropic", "betas": ["a", "b"], "body": BODY, "repeat": 3}
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert request_key("anthropic", ("b", "a"), BODY, 3) == sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "added",
    [
        {"stream": True},
        {"diagnostics": {"previous_message_id": None}},
        {"metadata": {"user_id": "7"}},
        {"cache_control": {"type": "ephemeral"}},
        {"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    ],
)
def test_what_does_not_determine_the_answer_is_not_in_the_key(added: dict[str, Any]) -> None:
    assert request_key("anthropic", (), {**BODY, **added}, 0) == request_key("anthropic", (), BODY, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "claude-opus-5"},
        {"max_tokens": 2001},
        {"system": "Be brief."},
        {"messages": [{"role": "user", "content": 'say "cache_control" and {"cache_control": 1}'}]},
        {"output_config": {"effort": "high"}},
        {"inference_geo": "us"},
    ],
)
def test_everything_else_is(changed: dict[str, Any]) -> None:
    assert request_key("anthropic", (), {**BODY, **changed}, 0) != request_key("anthropic", (), BODY, 0)


def test_text_that_speaks_of_cache_control_is_text() -> None:
    one = {**BODY, "messages": [{"role": "user", "content": '{"cache_control": 1}'}]}
    two = {**BODY, "messages": [{"role": "user", "content": '{"cache_control": 2}'}]}
    assert request_key("anthropic", (), one, 0) != request_key("anthropic", (), two, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_is_json_or_says_why_not(value: Any) -> None:
    try:
        text = canonical_json(value)
    except NotJson:
        return
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**64, "a number does not fit into 64 bits"),
        (-(2**63) - 1, "a number does not fit into 64 bits"),
        ("\ud800", "a text holds half of a character (a lone surrogate)"),
        ({"\udfff": 1}, "a text holds half of a character (a lone surrogate)"),
    ],
)
def test_what_json_cannot_hold(value: Any, reason: str) -> None:
    with pytest.raises(NotJson) as caught:
        json_bytes({"value": value})
    assert str(caught.value) == reason


def test_sorted_keys_and_utf8() -> None:
    assert canonical_json({"b": [1, 2.0], "a": {"é": "<&>"}}) == '{"a":{"é":"<&>"},"b":[1,2.0]}'.encode()
    assert json_bytes({"b": 1, "a": 2}) == b'{"b":1,"a":2}'


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("part", "service", "betas", "changed", "repeat"),
    [
        ("model", "anthropic", (), {"model": "claude-opus-5"}, 0),
        ("system", "anthropic", (), {"system": "Be brief."}, 0),
        ("prompt", "anthropic", (), {"messages": [{"role": "user", "content": "Hello"}]}, 0),
        ("prompt", "anthropic", (), {"turns": [], "variables": {"a": 1}}, 0),
        ("parameters", "anthropic", (), {"max_tokens": 3}, 0),
        ("parameters", "anthropic", (), {"tools": [{"name": "t"}]}, 0),
        ("parameters", "anthropic", ("a",), {}, 0),
        ("parameters", "anthropic https://proxy.example", (), {}, 0),
        ("parameters", "anthropic", (), {}, 1),
    ],
)
def test_what_changed_is_told_by_its_part(part: str, service: str, betas: Any, changed: Any, repeat: int) -> None:
    before = key_and_parts("anthropic", (), BODY, 0)[1]
    after = key_and_parts(service, betas, {**BODY, **changed}, repeat)[1]
    assert list(before) == list(PARTS)
    assert [name for name in PARTS if before[name] != after[name]] == [part]


def test_parts_are_short_and_never_change_by_accident() -> None:
    """They stand in results: other ones would call every request of the next run changed in all its parts."""
    assert key_and_parts("anthropic", (), BODY, 0)[1] == {
        "model": "42fb60f2bd1e",
        "system": "0da606d0dcaa",
        "prompt": "1dbfb9a79175",
        "parameters": "7c3f2c2e9615",
    }


FIELDS = st.sampled_from(["model", "system", "messages", "turns", "tools", "thinking", "stream", "cache_control"])
BODIES = st.dictionaries(FIELDS, st.sampled_from([None, "a", "b", [], [{"text": "a", "cache_control": {}}], {"x": 1}]))
ASKED = st.tuples(st.sampled_from(["s", "t"]), st.lists(st.sampled_from(["a", "b"])), BODIES, st.integers(0, 1))


@given(ASKED, ASKED)
def test_some_part_changes_exactly_when_the_key_does(one: Any, two: Any) -> None:
    """With every field optional and few values, equal keys come up as well as unequal ones."""
    (key, parts), (other, others) = key_and_parts(*one), key_and_parts(*two)
    assert (key == other) == (parts == others)


@given(BODIES, FIELDS, st.sampled_from([None, "a", [], {"x": 1}]))
def test_one_changed_field_changes_at_most_one_part(body: Any, name: str, value: Any) -> None:
    (key, parts), (other, others) = (key_and_parts("s", (), made, 0) for made in (body, {**body, name: value}))
    changed = [part for part in PARTS if parts[part] != others[part]]
    assert len(changed) == (key != other)


def test_a_schema_s_own_cache_control_is_in_the_key() -> None:
    def key(kind: str) -> str:
        schema = {"type": "object", "properties": {"cache_control": {"type": kind}}}
        return request_key("anthropic", (), {**BODY, "tools": [{"name": "a", "input_schema": schema}]}, 0)

    assert key("string") != key("integer")


def test_the_default_fallback_is_asked_for_whether_written_or_not() -> None:
    """Answers that were paid for before `fallbacks` was written stay answers to the same request."""
    body = {"model": "claude-opus-5-5", "messages": []}
    beta = "server-side-fallback-2026-06-01"
    plain = key_and_parts("anthropic", ["other-2026-01-01"], body, 0)
    assert key_and_parts("anthropic", ["other-2026-01-01", beta], {**body, "fallbacks": "default"}, 0) == plain
    named = {**body, "fallbacks": [{"model": "claude-opus-4-8"}]}
    assert key_and_parts("anthropic", ["other-2026-01-01", beta], named, 0)[0] != plain[0]
