"""Events into the message that a plain call would have given."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import MESSAGE, end_events, start_event, text_events

from runner.claude.streaming import BrokenStream, StreamedMessage, tool_input, written_events


def message_of(*events):
    growing = StreamedMessage()
    for event in events:
        growing.add(event)
    return growing


def delta(index, type_, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": type_, **fields}}


def block(index, *deltas, **start):
    yield {"type": "content_block_start", "index": index, "content_block": start}
    yield from deltas
    yield {"type": "content_block_stop", "index": index}


def content_of(*blocks):
    events = [event for one in blocks for event in one]
    growing = message_of(start_event(), *events, *end_events())
    assert growing.finished
    return growing.message["content"]


def test_text_grows():
    growing = message_of(start_event(), {"type": "ping"}, *text_events("hel", "lo"), *end_events())
    assert growing.finished
    assert growing.message == MESSAGE


def test_thinking_keeps_its_signature():
    thinking = block(
        0, delta(0, "thinking_delta", thinking="a"), delta(0, "thinking_delta", thinking="b"),
        delta(0, "signature_delta", signature="sig"), type="thinking", thinking="", signature="",
    )  # fmt: skip
    assert content_of(thinking) == [{"type": "thinking", "thinking": "ab", "signature": "sig"}]


@pytest.mark.parametrize("type_", ["tool_use", "server_tool_use", "mcp_tool_use", "tool_of_tomorrow"])
def test_tool_inputs_are_parsed_whatever_the_tool(type_):
    tool = block(
        0, delta(0, "input_json_delta", partial_json='{"a": [1'), delta(0, "input_json_delta", partial_json=', "ü"]}'),
        type=type_, id="t", name="n", input={},
    )  # fmt: skip
    assert content_of(tool) == [{"type": type_, "id": "t", "name": "n", "input": {"a": [1, "ü"]}}]


def test_a_tool_without_input_keeps_its_empty_one():
    assert content_of(block(0, delta(0, "input_json_delta", partial_json=""), type="tool_use", input={})) == [
        {"type": "tool_use", "input": {}}
    ]


def test_a_tool_input_that_was_cut_short_keeps_what_was_whole():
    assert tool_input('{"city": "Bern", "days": [1, 2, "th') == {"city": "Bern", "days": [1, 2]}
    assert tool_input("no json") == {}


def test_citations_are_gathered():
    cited = block(
        0, delta(0, "text_delta", text="x"), delta(0, "citations_delta", citation={"n": 1}),
        delta(0, "citations_delta", citation={"n": 2}), type="text", text="", citations=None,
    )  # fmt: skip
    assert content_of(cited) == [{"type": "text", "text": "x", "citations": [{"n": 1}, {"n": 2}]}]


def test_deltas_and_blocks_of_tomorrow_are_kept():
    new = block(0, delta(0, "compaction_delta", content="c", encrypted_content="e"), type="compaction", content=None)
    assert content_of(new) == [{"type": "compaction", "content": "c", "encrypted_content": "e"}]


def test_a_block_that_never_stopped_is_whole_all_the_same():
    events = [start_event(), *text_events("hel", "lo")[:-1], *end_events()]
    assert message_of(*events).message["content"] == [{"type": "text", "text": "hello"}]


def test_the_last_counts_win_and_nulls_take_nothing_back():
    start = start_event(cache_read_input_tokens=70, service_tier="standard")
    end = end_events(cache_read_input_tokens=None, input_tokens=12, iterations=[{"type": "message"}], new_count=4)
    assert message_of(start, *end).message["usage"] == {
        "input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 70, "service_tier": "standard",
        "iterations": [{"type": "message"}], "new_count": 4,
    }  # fmt: skip


def test_everything_a_message_delta_says_reaches_the_message():
    details = {"category": "cyber"}
    end = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details, "container": None},
           "usage": {"output_tokens": 0}, "context_management": {"applied_edits": []}}  # fmt: skip
    message = message_of(start_event(), end).message
    assert (message["stop_reason"], message["stop_details"]) == ("refusal", details)
    assert (message["context_management"], message["container"]) == ({"applied_edits": []}, None)


def test_numbers_of_blocks_that_a_gateway_left_out_are_no_matter():
    events = [start_event(), *text_events("a", index=1), *text_events("b", index=4), *end_events()]
    assert [block["text"] for block in message_of(*events).message["content"]] == ["a", "b"]


def test_a_tool_input_cut_inside_a_character_is_whole():
    halves = [delta(0, "input_json_delta", partial_json=piece) for piece in ('{"a": "\ud83c', '\udf89"}')]
    assert content_of(block(0, *halves, type="tool_use", input={})) == [{"type": "tool_use", "input": {"a": "🎉"}}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_data_of_events_as_a_body_has_them(end):
    lines = [":hello", "event: x", "data: one", "", "", "data:two", "data: three\u2028", "id: 7", "", "data: last"]
    assert list(written_events(end.join(lines))) == ["one", "two\nthree\u2028", "last"]


def test_a_fallback_names_the_model_that_went_on():
    hop = block(0, **{"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}})
    growing = message_of(start_event(), *hop, *end_events())
    assert growing.message["model"] == "b"


def test_nothing_is_finished_before_message_stop():
    assert not message_of(start_event(), *text_events("hello"), end_events()[0]).finished


@pytest.mark.parametrize(
    "events",
    [
        text_events("x"),
        end_events(),
        [start_event(), delta(0, "text_delta", text="x")],
        [start_event(), text_events("x")[0], delta(0, "text_delta", text=7), *end_events()],
        [start_event(), text_events("x")[0], delta(0, "text_delta")],
        [{"type": "message_start"}],
        [{}],
        ["x"],
    ],
)
def test_events_that_make_no_message_are_named(events):
    with pytest.raises(BrokenStream):
        message_of(*events)


shapes = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "index", "delta", "content_block", "message", "usage", "text"]), inner
        )
    ),
)
known = st.sampled_from(
    [start_event(), *text_events("x"), *end_events(), delta(0, "input_json_delta", partial_json="{")]
)


@given(st.lists(known | shapes, max_size=8))
def test_hostile_events_raise_nothing_but_a_broken_stream(events):
    growing = StreamedMessage()
    try:
        for event in events:
            growing.add(json.loads(json.dumps(event)))
    except BrokenStream:
        return
    assert growing.message is None or isinstance(growing.message, dict)
