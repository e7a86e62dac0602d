from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.simulator import messages, sse
from runner.simulator.choices import options
from runner.simulator.tokens import cut, input_tokens, text_tokens

GOOD = {"model": "claude-opus-5-5", "max_tokens": 1000, "messages": [{"role": "user", "content": "Name the colour."}]}


def answer(**change):
    return messages.reply(messages.read({**GOOD, **change}))


def says(text, **change):
    return answer(messages=[{"role": "user", "content": text}], **change)


def text_of(message):
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def test_the_text_names_the_model_and_quotes_the_last_user_message():
    message = answer(
        messages=[
            {"role": "user", "content": "First question"},
            {"role": "assistant", "content": "First answer"},
            {"role": "user", "content": [{"type": "text", "text": "Second"}, {"type": "text", "text": "question"}]},
        ]
    )
    assert text_of(message).startswith('[claude-opus-5-5] You asked: "Second\n\nquestion"')
    assert message["stop_reason"] == "end_turn"


def test_the_same_body_gets_the_same_answer_and_any_other_another():
    assert answer() == answer() == answer(stream=True)
    ids = {answer()["id"], answer(system="Be brief.")["id"], answer(max_tokens=999)["id"], says("Name it.")["id"]}
    assert len(ids) == 4


def test_the_answer_depends_on_the_system_prompt():
    assert len({text_of(answer(system=f"Style {n}")) for n in range(20)}) > 5


def test_usage_has_every_field_of_the_api():
    assert answer()["usage"] == {
        "input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": text_tokens(text_of(answer())),
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": "global",
        "speed": None,
    }


def test_max_tokens_cuts_the_text():
    whole = text_of(answer())
    # another max_tokens is another body, so only the fixed beginning can be compared
    message = answer(max_tokens=5)
    assert text_of(message) == "[claude-opus-5-5] Yo"
    assert whole.startswith(text_of(message))
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 5)


def test_max_tokens_zero_answers_nothing():
    message = answer(max_tokens=0)
    assert (message["content"], message["stop_reason"], message["usage"]["output_tokens"]) == ([], "max_tokens", 0)


def test_a_stop_sequence_ends_the_text_before_it():
    message = says("Name the colour.", stop_sequences=["colour", "asked"])
    assert text_of(message) == "[claude-opus-5-5] You "
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "asked")


def test_a_stop_sequence_that_does_not_come_changes_nothing():
    assert answer(stop_sequences=["qqq"])["stop_reason"] == "end_turn"


def test_thinking_comes_first_and_counts_as_output():
    message = answer(thinking={"type": "adaptive"})
    first, second = message["content"]
    assert (first["type"], second["type"]) == ("thinking", "text")
    assert first["thinking"]
    assert first["signature"].startswith("sim_")
    thought = message["usage"]["output_tokens_details"]["thinking_tokens"]
    assert thought == text_tokens(first["thinking"])
    assert message["usage"]["output_tokens"] == thought + text_tokens(second["text"])


def test_omitted_thinking_keeps_its_signature_and_its_price():
    message = answer(thinking={"type": "adaptive", "display": "omitted"})
    assert message["content"][0]["thinking"] == ""
    assert message["content"][0]["signature"]
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] > 0


def test_more_effort_thinks_more():
    thought = [
        answer(thinking={"type": "adaptive"}, output_config={"effort": effort})["usage"]["output_tokens_details"]
        for effort in ("low", "high", "max")
    ]
    assert thought[0]["thinking_tokens"] < thought[1]["thinking_tokens"] < thought[2]["thinking_tokens"]


def test_a_format_gets_json_even_when_the_prompt_offers_words():
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"label": {"enum": ["a", "b"]}},
        "required": ["label"],
    }
    message = says("one of: x, y", output_config={"format": {"type": "json_schema", "schema": schema}})
    assert orjson.loads(text_of(message))["label"] in ("a", "b")


def test_a_forced_tool_is_called():
    tool = {"name": "look", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    message = answer(tools=[{"name": "x", "input_schema": {}}, tool], tool_choice={"type": "tool", "name": "look"})
    (call,) = message["content"]
    assert (call["type"], call["name"], message["stop_reason"]) == ("tool_use", "look", "tool_use")
    assert isinstance(call["input"]["n"], int)


def test_a_refusal_is_empty_and_says_why():
    message = messages.refusal(messages.read(GOOD))
    assert message["content"] == []
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"] == {
        "type": "refusal",
        "category": "general_harms",
        "explanation": "The simulator was asked to refuse this request.",
    }
    assert message["usage"]["output_tokens"] == 0


def test_markers_choose_the_reply():
    assert text_of(says("x [[simulate:text=positive]]")) == "positive"
    assert orjson.loads(text_of(says("[[simulate:body]]")))["messages"][0]["content"] == "[[simulate:body]]"
    assert says("[[simulate:stop=pause_turn]]")["stop_reason"] == "pause_turn"
    assert says("[[simulate:tokens=300]]")["usage"]["output_tokens"] == 300
    form = {"format": {"type": "json_schema", "schema": {"type": "boolean"}}}
    assert text_of(says("[[simulate:no_json]]", output_config=form)).startswith("[claude")


def test_markers_count_only_in_the_last_user_message():
    turns = [
        {"role": "user", "content": "[[simulate:text=old]]"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "new"},
    ]
    assert text_of(answer(messages=turns)).startswith("[claude")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Answer with one of: billing, bug, praise.", ["billing", "bug", "praise"]),
        ("Answer with exactly one of these labels: `bug` or `feature request`", ["bug", "feature request"]),
        ("Reply with one of bug, question or praise and nothing else", ["bug", "question", "praise"]),
        ("Choose one of the following:\n- red\n- dark blue\n\nText: sky", ["red", "dark blue"]),
        ("one of: low|medium|high\nTicket: printer", ["low", "medium", "high"]),
        ("This is one of the best tools, and it works", []),
        ("Summarise this text", []),
    ],
)
def test_a_prompt_s_choice_is_found(prompt, expected):
    assert options(prompt) == expected


def test_a_classification_is_answered_with_a_word_from_the_system_prompt_too():
    seen = {text_of(says(f"Ticket {n}", system="Classify. One of: bug, praise")) for n in range(20)}
    assert seen == {"bug", "praise"}


def test_tokens_are_a_quarter_of_the_bytes():
    assert [text_tokens(text) for text in ("", "a", "abcd", "abcde", "ééé")] == [1, 1, 1, 2, 2]
    assert input_tokens({"messages": [{"role": "user", "content": "x" * 400}]}) == 103
    with_system = {"system": "y" * 40, "messages": [{"role": "user", "content": "x" * 400}]}
    assert input_tokens(with_system) == 116


@given(st.text(), st.integers(0, 20))
def test_a_cut_text_is_a_beginning_and_short_enough(text, tokens):
    short = cut(text, tokens)
    assert text.startswith(short)
    assert len(short.encode()) <= tokens * 4


def events(message):
    raw = b"".join([sse.start(message), *sse.blocks(message), sse.end(message)]).decode()
    parsed = []
    for chunk in raw.strip().split("\n\n"):
        name, data = chunk.split("\n", 1)
        parsed.append((name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))))
    return parsed


def test_a_stream_has_the_api_s_events_in_order():
    found = events(answer(thinking={"type": "adaptive"}))
    assert [name for name, _ in found] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(data["type"] == name for name, data in found)
    start = found[0][1]["message"]
    assert (start["content"], start["stop_reason"]) == ([], None)
    assert found[4][1]["delta"]["type"] == "signature_delta"


def test_a_long_text_is_streamed_in_pieces_that_join_again():
    message = says("[[simulate:tokens=2000]]", max_tokens=2000)
    pieces = [data["delta"]["text"] for name, data in events(message) if name == "content_block_delta"]
    assert 1 < len(pieces) <= 21
    assert "".join(pieces) == text_of(message)
