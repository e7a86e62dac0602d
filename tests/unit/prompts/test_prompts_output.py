"""Replies against the author's schema; what a body and a key hold of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from request_key import request_key

from runner.prompts.body import body_of
from runner.prompts.output import Checked, OutputSpec, check_reply, keyed, output_format

SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["bug", "praise"]}, "score": {"type": "integer", "minimum": 1}},
    "required": ["label", "score"],
}
SPEC = OutputSpec(SCHEMA)
GOOD = {"label": "bug", "score": 3}
FIELDS = {"model": "claude-haiku-5-5", "max_tokens": 100, "prompt": "x"}


def text(*texts: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": one} for one in texts]}


def body(**fields: Any) -> dict[str, Any]:
    return body_of({**FIELDS, **fields})


def key(fields: Mapping[str, Any]) -> str:
    made = body_of({**FIELDS, **fields})
    return request_key("anthropic", (), keyed(made, fields.get("output")), 0)


# ---------------------------------------------------------------- replies


@pytest.mark.parametrize(
    "reply",
    [
        text('{"label": "bug", "score": 3}'),
        text(' \n{"label": "bug",', ' "score": 3}\n'),
        text('Here it is:\n\n```json\n{"label": "bug", "score": 3}\n```\nThat is all.'),
        text('```\n{"label": "bug", "score": 3}\n```'),
        text('```python\nprint()\n```\n```JSON\n{"label": "bug", "score": 3}\n```'),
        {"content": [{"type": "thinking", "thinking": "{}"}, *text('{"label": "bug", "score": 3}')["content"]]},
        {
            "content": [
                *text("I shall look.")["content"],
                {"type": "server_tool_use", "id": "x"},
                {"type": "web_search_tool_result", "content": []},
                *text('{"label": "bug", ', '"score": 3}')["content"],
            ]
        },
    ],
)
def test_the_json_of_a_reply_is_its_output(reply: dict[str, Any]) -> None:
    assert check_reply(reply, SPEC) == Checked(GOOD)


@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        (text(""), ("output: the reply holds no text",)),
        ({"content": []}, ("output: the reply holds no text",)),
        (text("It is a bug."), ("output: the reply is not JSON (line 1, column 1)",)),
        (text("```json\n{}\n```\n```json\n{}\n```"), ("output: the reply is not JSON (line 1, column 1)",)),
        (text('{"label": "bug", "score": NaN}'), ("output: the reply is not JSON (line 1, column 27)",)),
        (text('{"label": "bug"}'), ("output: 'score' is a required property",)),
        (
            text('{"label": "idea", "score": 0}'),
            (
                "output.label: `\"idea\"` is not one of ['bug', 'praise']",
                "output.score: `0` is less than the minimum of 1",
            ),
        ),
        (text("[]"), ("output: `[]` is not of type 'object'",)),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_reply_is_said_with_its_place(reply: dict[str, Any], errors: tuple[str, ...]) -> None:
    assert check_reply(reply, SPEC) == Checked(None, errors)


def test_without_a_schema_any_text_will_do() -> None:
    assert check_reply(text("It is a bug."), OutputSpec(on_truncated="double")) == Checked()


def test_text_mode_checks_alike() -> None:
    assert check_reply(text('{"label": "idea", "score": 1}'), OutputSpec(SCHEMA, mode="text")).errors
    assert check_reply(text('{"label": "bug", "score": 3}'), OutputSpec(SCHEMA, mode="text")) == Checked(GOOD)


# ---------------------------------------------------------------- requests


def test_native_sends_the_schema_as_the_api_takes_it() -> None:
    sent = body(output=SPEC, effort="low")["output_config"]
    assert sent == {"effort": "low", "format": output_format(SPEC)}
    assert sent["format"]["schema"]["properties"]["score"] == {"type": "integer", "description": "{minimum: 1}"}
    assert sent["format"]["schema"]["additionalProperties"] is False


@pytest.mark.parametrize("spec", [OutputSpec(SCHEMA, mode="text"), OutputSpec(on_truncated="accept")])
def test_else_nothing_is_sent(spec: OutputSpec) -> None:
    assert body(output=spec) == body()


def test_the_key_holds_the_schema_as_its_author_wrote_it() -> None:
    sent_alike = {**SCHEMA, "additionalProperties": False}
    assert output_format(OutputSpec(sent_alike)) == output_format(SPEC)
    keys = {
        key({"output": spec})
        for spec in (
            SPEC,
            OutputSpec(sent_alike),
            OutputSpec(SCHEMA, mode="text"),
            OutputSpec(
                {**SCHEMA, "properties": dict(reversed(SCHEMA["properties"].items()))}
            ),  # answered in that order
            OutputSpec(),
        )
    }
    assert len(keys) == 5


@pytest.mark.parametrize("how", [{"on_invalid": "fail"}, {"on_truncated": "double"}])
def test_the_key_does_not_hold_what_happens_to_a_reply(how: dict[str, Any]) -> None:
    assert key({"output": OutputSpec(SCHEMA, **how)}) == key({"output": SPEC})
    assert key({"output": OutputSpec(**how)}) == key({})


def test_a_key_with_a_schema_never_changes_by_accident() -> None:
    assert key({"output": SPEC, "effort": "low"}) == "e556f93c5d39e7c487be975d8b782c5345cad141b1fa0fbba621156fe19298c8"


def test_a_reply_full_of_fences_does_not_take_forever() -> None:
    assert check_reply(text("```" + " " * 200_000 + "!\n" + "```json\n" * 200_000), SPEC).errors == (
        "output: the reply is not JSON (line 1, column 1)",
    )
