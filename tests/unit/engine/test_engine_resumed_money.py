"""A conversation that an earlier sitting began: money is reserved for the call that is sent, not for the first."""

from __future__ import annotations

import pytest
from engine_fakes import OPUS, FakeApi, FakeSink, failure, play, reply, request, requests

from runner.engine.budget import Budget
from runner.models.worst_case import worst_case_usd
from runner.records import Call, NextCall

FIRST = worst_case_usd(OPUS, 2, 100)
SECOND = worst_case_usd(OPUS, 5_000, 400)
EARLIER = Call(attempts=(), response=reply().message, usage=reply().message["usage"], cost_usd=0.0)


def second_call(asked, calls):
    return NextCall("turn", 1, b"y" * 5_000, 400) if len(calls) == 1 else None


def resumed(count, budget, outcome):
    sink, api = FakeSink(), FakeApi(otherwise=lambda asked: outcome)
    played = play(
        requests(count),
        api,
        sink=sink,
        budget=budget,
        follow=second_call,
        replies_of=lambda n: [EARLIER],
        concurrency=8,
    )
    return played, [line[2][2] for line in sink.lines if line[0] == "sent"]


def test_it_reserves_and_writes_down_what_the_next_call_may_cost():
    budget = Budget(100 * SECOND)
    lost = failure("timeout", maybe_billed=True)
    _, announced = resumed(1, budget, lost)
    assert announced == [pytest.approx(SECOND)] * len(announced)
    assert announced
    assert budget.spent == pytest.approx(len(announced) * SECOND)
    assert budget.reserved == 0


def test_many_of_them_never_pass_a_cap_that_their_first_calls_would_have_fitted():
    assert SECOND > 4 * FIRST
    budget = Budget(2.5 * SECOND)
    played, announced = resumed(8, budget, failure("timeout", maybe_billed=True))
    assert budget.spent <= 2.5 * SECOND
    assert len(announced) == 2
    assert played.api.most_in_flight <= 2
    assert played.ended.limit is not None
    assert played.ended.limit.kind == "max_cost"
    assert budget.reserved == 0


def test_one_that_has_to_wait_for_money_is_sent_once_there_is_some():
    budget = Budget(2.5 * SECOND)
    cheap = reply(usage={"input_tokens": 10, "output_tokens": 10})
    played, announced = resumed(8, budget, cheap)
    assert sorted(played.statuses) == list(range(8))
    assert len(announced) == 8
    assert budget.reserved == 0


def test_a_first_call_is_reserved_for_as_itself():
    sink = FakeSink()
    play([request(0)], sink=sink, budget=Budget(1.0), follow=second_call)
    assert [line[2][2] for line in sink.lines if line[0] == "sent"] == [
        pytest.approx(FIRST),
        pytest.approx(SECOND),
    ]
