"""What a server may write into a message without anybody who reads it stumbling."""

from __future__ import annotations

import pytest
from scripted_server import MESSAGE

from runner.claude.replies import are_maps, fitted, outcome_of_body
from runner.records import Failure

TEXT = {"type": "text", "text": "hello"}


def test_a_message_as_the_api_writes_it_stays_as_it_is():
    whole = {
        **MESSAGE,
        "stop_details": {"category": "cyber"},
        "content": [{**TEXT, "citations": [{"type": "char_location"}]}, TEXT],
        "usage": {"iterations": [{"type": "message", "model": "m"}, {"type": "compaction"}]},
    }
    assert fitted(whole) == whole
    assert fitted({**MESSAGE, "usage": None, "model": None}) == {**MESSAGE, "usage": None, "model": None}


@pytest.mark.parametrize("wrong", [7, True, ["m"], {"a": 1}])
def test_fields_of_another_type_are_taken_for_missing(wrong):
    made = fitted({**MESSAGE, "model": wrong})
    assert made == {**MESSAGE, "model": None}
    details = fitted({**MESSAGE, "stop_details": "text"})
    assert details["stop_details"] is None
    cited = fitted({**MESSAGE, "content": [{**TEXT, "citations": "no"}, TEXT]})
    assert cited["content"] == [{**TEXT, "citations": None}, TEXT]
    usage = {"input_tokens": 1, "iterations": [{"model": wrong}]}
    assert fitted({**MESSAGE, "usage": usage})["usage"] == {"input_tokens": 1}


@pytest.mark.parametrize(
    ("value", "holds"), [(None, True), ([], True), ([{}], True), ("x", False), ([1], False), ({}, False), (7, False)]
)
def test_lists_of_maps(value, holds):
    assert are_maps(value) is holds


def test_a_reply_of_another_api_is_quoted():
    failure = outcome_of_body(200, {}, b'{"error": {"message": "quota exceeded", "code": 429}}')
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.maybe_billed) == ("malformed_reply", True)
    assert "quota exceeded" in failure.message
