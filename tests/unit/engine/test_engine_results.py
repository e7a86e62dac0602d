"""From attempts and a reply to the line that is written down."""

from __future__ import annotations

import pytest
from engine_fakes import HAIKU, failure, reply, request

from runner.engine.results import answered, bad_row, call_of, failed
from runner.errors import Problem
from runner.prompts.judge import judge
from runner.records import Attempt, Reply, Result

ATTEMPT = Attempt(1, "2026-11-22T00:00:00.000Z", 1.0)


def result_of(*replies: Reply) -> Result:
    calls = [call_of(request(0), one, [ATTEMPT], None) for one in replies]
    return answered(request(0), calls, judge(request(0), calls))


@pytest.mark.parametrize(
    ("stop_reason", "status"),
    [
        ("end_turn", "ok"),
        ("stop_sequence", "ok"),
        ("tool_use", "tool_use"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("refusal", "refused"),
        ("pause_turn", "truncated"),
        ("compaction", "truncated"),
        ("a_reason_of_tomorrow", "invalid"),
    ],
)
def test_the_stop_reason_says_how_a_request_ended_and_a_paid_reply_counts_as_answered(stop_reason, status):
    result = result_of(reply(stop_reason=stop_reason))
    assert (result.status, result.stop_reason, result.answered) == (status, stop_reason, True)
    assert result.good is (status == "ok")


def test_a_reply_is_kept_whole():
    details = {"category": "cyber", "explanation": "no"}
    usage = {"input_tokens": 1000, "output_tokens": 500, "a_count_of_tomorrow": 1}
    answer = reply("no", stop_details=details, usage=usage, extra=[1])
    result = result_of(answer)
    assert (result.text, result.stop_details, result.usage) == ("no", details, usage)
    (call,) = result.calls
    assert (call.purpose, call.response, call.usage, list(call.attempts)) == ("turn", answer.message, usage, [ATTEMPT])


def test_the_model_that_served_sets_the_price():
    asked_opus = result_of(reply(model=HAIKU))
    assert asked_opus.served == HAIKU
    assert asked_opus.cost_usd == asked_opus.billed_usd == asked_opus.calls[0].cost_usd == pytest.approx(0.00035)
    assert result_of(reply()).cost_usd == pytest.approx(0.014)


@pytest.mark.parametrize("changes", [{"model": "claude-unheard-of"}, {"usage": None}, {"usage": {}}])
def test_an_unknown_price_is_none_and_never_zero(changes):
    result = result_of(reply(**changes))
    assert (result.cost_usd, result.billed_usd) == (None, None)


def test_a_refusal_without_content_is_free():
    assert result_of(reply(stop_reason="refusal", content=[])).cost_usd == 0


def test_a_given_up_request_keeps_its_attempts_and_an_unsent_one_has_no_call():
    why = failure("timeout")
    assert [list(call.attempts) for call in failed(request(0), why, [ATTEMPT]).calls] == [[ATTEMPT]]
    assert (failed(request(0), why).calls, failed(request(0), why).failure) == ([], why)


def test_a_bad_row_says_what_is_wrong_with_it():
    result = bad_row(request(0, problem=Problem("rule", "it is wrong")))
    assert (result.status, result.failure.kind, result.failure.message) == ("failed", "bad_row", "it is wrong")
