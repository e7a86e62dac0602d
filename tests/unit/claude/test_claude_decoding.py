"""Replies that were written carelessly are read all the same; what comes out can always be written as UTF-8."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import MESSAGE, exchange, http, start_event, stream

from runner.claude.decoding import json_of, whole


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":"\xff"}', {"a": "\ufffd"}),
        (b'{"a":"one\ntwo"}', {"a": "one\ntwo"}),
        (b'{"a":NaN}', {"a": None}),
        (rb'{"a":"\ud83c"}', {"a": "\ufffd"}),
        (rb'{"\ud83c":["\udf89"]}', {"\ufffd": ["\ufffd"]}),
    ],
)
def test_json_with_small_faults(written, value):
    assert json_of(written) == value


@pytest.mark.parametrize("written", [b"", b"{", b"<html>", b"{'a': 1}", b"[" * 200_000])
def test_what_is_no_json_is_no_json(written):
    with pytest.raises(ValueError):  # noqa: PT011 - of whichever decoder
        json_of(written)


texts = st.text(st.characters(codec=None) | st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF))


@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_whole_values_can_be_written(value):
    orjson.dumps(whole(value))


@given(st.text())
def test_whole_text_stays_as_it_is(text):
    assert whole(text) == text


def test_a_paid_reply_is_not_lost_for_a_byte_order_mark():
    assert exchange(http(200, b"\xef\xbb\xbf" + json.dumps(MESSAGE).encode())).outcome.message == MESSAGE


def test_a_character_cut_between_two_events_is_put_together():
    pieces = b"".join(
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n' % piece
        for piece in (rb"a \ud83c", rb"\udf89 b")
    )
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    end = stream({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"})
    answer = stream(start_event(), start) + pieces + end.partition(b"\r\n\r\n")[2]
    outcome = exchange(answer, stream=True).outcome
    assert outcome.message["content"] == [{"type": "text", "text": "a 🎉 b"}]
