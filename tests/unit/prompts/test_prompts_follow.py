"""What a request needs after a reply: nothing, more tokens, another try, or the rest of a paused turn."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from follow_requests import bodies, call, message, played, request
from hypothesis import given
from hypothesis import strategies as st

from runner.prompts.after import MOST_ASKED_AGAIN, MOST_CONTINUATIONS, After
from runner.prompts.follow import follow
from runner.prompts.judge import judge
from runner.prompts.stop_reasons import STATUS_OF
from runner.records import Call
from runner.spec.job import OutputSpec

DOUBLE, ACCEPT = After(on_truncated="double"), After(on_truncated="accept")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}
CHECKED = After(output=OutputSpec(SCHEMA))
CUT = message("ha", "max_tokens")
STOPS = ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "compaction", "tomorrow",
         "model_context_window_exceeded"]  # fmt: skip


def script(*turns: str) -> list[dict[str, Any]]:
    return [{"user": text, "systems": [], "when": None, "index": at} for at, text in enumerate(turns)]


def purposes(calls: list[Call]) -> list[str]:
    return [one.purpose for one in calls]


# ---------------------------------------------------------------- one call


@pytest.mark.parametrize("stop", [stop for stop in STOPS if stop not in ("pause_turn", "compaction")])
def test_without_wishes_a_reply_that_does_not_pause_is_the_only_one(stop: str) -> None:
    assert follow(request(), [call(message(stop=stop))]) is None


def test_every_stop_reason_of_the_sdk_has_a_status() -> None:
    from anthropic.types.beta import BetaStopReason

    assert set(get_args(BetaStopReason)) == set(STATUS_OF)


# ---------------------------------------------------------------- pause_turn


def test_a_paused_turn_goes_on_behind_everything_that_was_said() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    first = message(stop="pause_turn", content=[thought, {"type": "text", "text": "one "}])
    second, third = message("two ", "pause_turn"), message("three")
    sent = bodies(request(), first, second, third)
    assert sent[1]["messages"] == [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": first["content"]},
    ]
    assert sent[2]["messages"][1:] == [{"role": "assistant", "content": [*first["content"], *second["content"]]}]
    calls = played(request(), lambda n, body: [first, second, third][n])
    assert purposes(calls) == ["turn", "continue", "continue"]
    verdict = judge(request(), calls)
    assert (verdict.status, verdict.text) == ("ok", "one two three")


def test_what_keeps_pausing_is_given_up_as_truncated() -> None:
    calls = played(request(), lambda n, body: message("x", "pause_turn"))
    assert len(calls) == 1 + MOST_CONTINUATIONS
    assert (judge(request(), calls).status, judge(request(), calls).good) == ("truncated", False)


def test_a_pause_after_compaction_goes_on_and_a_summary_that_was_asked_for_is_the_answer() -> None:
    block = {"type": "compaction", "content": "so far"}
    paused = message(stop="compaction", content=[block])
    assert bodies(request(), paused, message("on"))[1]["messages"][-1] == {"role": "assistant", "content": [block]}
    asked = request(compaction={"type": "summarize"})
    assert follow(asked, [call(paused)]) is None
    assert judge(asked, [call(paused)]).status == "ok"


# ---------------------------------------------------------------- on_truncated


def test_double_asks_the_same_once_more_with_twice_the_tokens() -> None:
    sent = bodies(request(DOUBLE), CUT, message("hahaha"))
    assert sent[1] == {**sent[0], "max_tokens": 200}
    calls = played(request(DOUBLE), lambda n, body: [CUT, message("hahaha")][n])
    assert (purposes(calls), judge(request(DOUBLE), calls).text) == (["turn", "double"], "hahaha")


def test_double_doubles_once_and_no_further_than_the_model_goes() -> None:
    calls = played(request(DOUBLE), lambda n, body: CUT)
    assert purposes(calls) == ["turn", "double"]
    assert judge(request(DOUBLE), calls).status == "truncated"
    assert bodies(request(DOUBLE, max_tokens=100_000), CUT, message())[1]["max_tokens"] == 128_000
    assert follow(request(DOUBLE, max_tokens=128_000), [call(CUT)]) is None
    assert bodies(request(DOUBLE, max_tokens=900_000, model="unheard-of"), CUT, message())[1]["max_tokens"] == 1_800_000


def test_more_tokens_do_not_help_a_full_context_window() -> None:
    assert follow(request(DOUBLE), [call(message(stop="model_context_window_exceeded"))]) is None


def test_a_continuation_that_is_cut_off_is_doubled_behind_what_came_before_it() -> None:
    paused = message("one ", "pause_turn")
    replies = [paused, CUT, message("two")]
    sent = bodies(request(DOUBLE), *replies)
    assert sent[2]["messages"] == sent[1]["messages"]
    calls = played(request(DOUBLE), lambda n, body: replies[n])
    assert (purposes(calls), judge(request(DOUBLE), calls).text) == (["turn", "continue", "double"], "one two")


def test_a_doubled_call_that_pauses_goes_on_with_the_doubled_tokens() -> None:
    replies = [CUT, message("one ", "pause_turn"), message("two")]
    sent = bodies(request(DOUBLE), *replies)
    assert [body["max_tokens"] for body in sent] == [100, 200, 200]
    calls = played(request(DOUBLE), lambda n, body: replies[n])
    assert judge(request(DOUBLE), calls).text == "one two"


def test_accept_makes_a_truncated_reply_good_and_fail_does_not() -> None:
    assert [judge(request(after), [call(CUT)]).good for after in (ACCEPT, None)] == [True, False]


@pytest.mark.parametrize(
    ("content", "thought"),
    [
        ([{"type": "thinking", "thinking": "hm", "signature": "s"}], 0),
        ([{"type": "redacted_thinking", "data": "x"}], 0),
        ([], 100),
    ],
)
def test_thinking_that_took_all_tokens_is_said(content: list[Any], thought: int) -> None:
    reply = message(stop="max_tokens", content=content)
    reply["usage"] = {"output_tokens": 100, "output_tokens_details": {"thinking_tokens": thought}}
    verdict = judge(request(), [call(reply)])
    assert (verdict.status, verdict.problems) == (
        "truncated",
        ("thinking took all of `max_tokens`, so that no text was written",),
    )


@pytest.mark.parametrize(
    ("stop", "content"),
    [
        ("max_tokens", []),
        ("max_tokens", [{"type": "text", "text": "so"}]),
        ("max_tokens", [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "so"}]),
        ("max_tokens", [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "tool_use", "id": "a"}]),
        ("model_context_window_exceeded", [{"type": "thinking", "thinking": "hm", "signature": "s"}]),
    ],
)
def test_of_other_replies_that_were_cut_off_that_is_not_said(stop: str, content: list[Any]) -> None:
    verdict = judge(request(), [call(message(stop=stop, content=content))])
    assert (verdict.status, verdict.problems) == ("truncated", ())


# ---------------------------------------------------------------- tools


@pytest.mark.parametrize(
    ("tools", "good"),
    [
        ([{"name": "look_up", "input_schema": {"type": "object"}}], True),
        ([{"type": "custom", "name": "look_up"}], True),
        ([{"type": "bash_20250124", "name": "bash"}], True),
        ([{"type": "web_search_20260318", "name": "web_search"}], False),
        (None, False),
    ],
)
def test_a_tool_call_is_good_when_the_request_has_client_tools(tools: Any, good: bool) -> None:
    asked = request(**({"tools": tools} if tools else {}))
    verdict = judge(asked, [call(message(stop="tool_use"))])
    assert (verdict.status, verdict.good) == ("tool_use", good)


# ---------------------------------------------------------------- output


def test_an_invalid_answer_is_sent_back_with_what_is_wrong() -> None:
    sent = bodies(request(CHECKED), message('{"n": 12}'), message('{"n": 3}'))
    answer, complaint = sent[1]["messages"][1:]
    assert answer == {"role": "assistant", "content": [{"type": "text", "text": '{"n": 12}'}]}
    assert complaint["role"] == "user"
    assert "output.n" in complaint["content"]
    calls = played(request(CHECKED), lambda n, body: message(f'{{"n": {12 - 9 * n}}}'))
    verdict = judge(request(CHECKED), calls)
    assert (purposes(calls), verdict.status, verdict.output) == (["turn", "ask_again"], "ok", {"n": 3})


def test_an_answer_that_stays_invalid_is_invalid_and_says_why() -> None:
    calls = played(request(CHECKED), lambda n, body: message("no"))
    assert len(calls) == 1 + MOST_ASKED_AGAIN
    verdict = judge(request(CHECKED), calls)
    assert (verdict.status, verdict.good, len(verdict.problems)) == ("invalid", False, 1)
    once = After(output=OutputSpec(SCHEMA, on_invalid="fail"))
    assert follow(request(once), [call(message("no"))]) is None


# ---------------------------------------------------------------- turns


def test_each_turn_is_sent_with_the_replies_before_it_whole() -> None:
    blocks = [{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "fallback", "from": {}, "to": {}},
              {"type": "text", "text": "a", "citations": None}]  # fmt: skip
    after = After(turns=script("hello", "and?", "so?"))
    sent = bodies(request(after), message(content=blocks), message("b"), message("c"))
    assert [said["role"] for said in sent[2]["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert sent[2]["messages"][1]["content"] == blocks
    assert [sent[2]["messages"][at]["content"] for at in (2, 4)] == ["and?", "so?"]


def test_a_reply_without_content_adds_no_empty_message() -> None:
    sent = bodies(request(After(turns=script("hello", "and?"))), message(content=[]), message())
    assert [said["role"] for said in sent[1]["messages"]] == ["user", "user"]


def test_repairs_of_one_turn_are_behind_it_when_the_next_begins() -> None:
    after = After(on_truncated="double", turns=script("hello", "and?"))
    replies = [CUT, message("one ", "pause_turn"), message("two"), CUT, message("end")]
    sent = bodies(request(after), *replies)
    assert [body["max_tokens"] for body in sent] == [100, 200, 200, 100, 200]
    assert sent[3]["messages"][1]["content"] == [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    calls = played(request(after), lambda n, body: replies[n])
    assert [(one.purpose, one.turn) for one in calls] == [
        ("turn", 0), ("double", 0), ("continue", 0), ("turn", 1), ("double", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stop", "status"), [("refusal", "refused"), ("max_tokens", "truncated"), ("tool_use", "tool_use")]
)
def test_a_turn_without_a_good_answer_ends_the_conversation(stop: str, status: str) -> None:
    asked = request(After(turns=script("hello", "and?")), tools=[{"name": "look_up"}])
    calls = played(asked, lambda n, body: message("no", stop))
    verdict = judge(asked, calls)
    assert (len(calls), verdict.status, verdict.good) == (1, status, False)
    assert verdict.problems == ("the conversation ended with turn 1, before the end of its script",)


def test_an_accepted_truncation_does_not_end_the_conversation() -> None:
    asked = request(After(on_truncated="accept", turns=script("hello", "and?")))
    calls = played(asked, lambda n, body: message("ha", "max_tokens"))
    assert (len(calls), judge(asked, calls).good) == (2, True)


def test_the_caches_breakpoint_moves_with_the_conversation() -> None:
    control = {"type": "ephemeral"}
    sent = bodies(request(After(turns=script("hello", "and?"), moving=control)), message("a"), message("b"))
    assert sent[1]["messages"][-1]["content"] == [{"type": "text", "text": "and?", "cache_control": control}]


# ---------------------------------------------------------------- whatever comes


@st.composite
def answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    stops, texts = st.sampled_from(STOPS), st.sampled_from(["", "no", '{"n": 1}', '{"n": 99}'])
    return [message(draw(texts), draw(stops)) for _ in range(draw(st.integers(1, 8)))]


@given(
    replies=answers(),
    on_truncated=st.sampled_from(["fail", "accept", "double"]),
    turns=st.integers(0, 4),
    output=st.sampled_from([None, OutputSpec(SCHEMA), OutputSpec(SCHEMA, on_invalid="fail")]),
)
def test_it_ends_within_bounds_and_says_the_same_again(
    replies: list[dict[str, Any]], on_truncated: Any, turns: int, output: OutputSpec | None
) -> None:
    asked = request(After(on_truncated, output, script("hello", "a", "b", "c")[:turns]))
    calls = played(asked, lambda n, body: replies[n % len(replies)])
    assert len(calls) <= max(turns, 1) * (2 + MOST_CONTINUATIONS + MOST_ASKED_AGAIN)
    for upto in range(1, len(calls)):  # a later sitting goes on with the same bytes
        assert follow(asked, calls[:upto]) == follow(asked, list(calls[:upto]))
    assert judge(asked, calls).status != "failed"
