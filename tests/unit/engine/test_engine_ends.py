"""Waiting requests of every sort and a run that ends: retries, leaders and warm-ups meet deadlines, caps and stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_fakes import OPUS, FakeApi, FakeSink, Played, failure, play, reply, request, requests

from runner.engine.budget import Budget
from runner.engine.live import Ended, Stop
from runner.models.worst_case import worst_case_usd
from runner.records import Outcome, Prefix, Request, RetryPolicy

HOUR = 3600.0
SYSTEM = Prefix("system", 300.0, 10)
BODY = b'{"max_tokens":100}'
WORST = worst_case_usd(OPUS, len(BODY), 100) or 0.0
DEAR = reply(usage={"input_tokens": len(BODY), "output_tokens": 100})
SLOW = RetryPolicy(base=100.0, cap=100.0)


class Streaming(FakeApi):
    """Takes the requests of leaders, too. streamed: which they were."""

    def __init__(self, script: dict[int, list[Outcome]] | None = None, **fields: Any) -> None:
        super().__init__(script or {}, **fields)
        self.streamed: list[int] = []
        self.warmed: list[float] = []

    async def __call__(self, request: Request, began: Any = None) -> Outcome:
        if began is not None:
            self.streamed.append(request.n)
        if request.max_tokens == 0:
            self.warmed.append(asyncio.get_running_loop().time())
        return await super().__call__(request)


def sharing(count: int) -> list[Request]:
    return [request(n, prefixes=(SYSTEM,), body=BODY) for n in range(count)]


def at(seconds: float, *, now: bool = False) -> Any:
    def later(loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
        loop.call_later(seconds, stop.now if now else stop.request)

    return later


def ended(played: Played) -> Ended:
    assert played.error is None
    assert played.ended is not None
    return played.ended


# ---------------------------------------------------------------- the server's own word


def test_refusals_that_are_to_be_tried_again_count_once_a_request() -> None:
    """24 identical 400s of four requests are no twenty requests."""
    again = failure("invalid_request", http_status=400, headers={"x-should-retry": "true"})
    played = play(requests(6), FakeApi({n: [again] * 6 for n in range(4)}), concurrency=1, retry=RetryPolicy(base=0.01))
    assert ended(played).lanes == {}
    assert list(played.statuses.values()) == ["failed"] * 4 + ["ok"] * 2
    assert len(played.results[0].calls[0].attempts) == 6


def test_twenty_requests_that_are_refused_again_and_again_still_close_their_model() -> None:
    again = failure("invalid_request", http_status=400, headers={"x-should-retry": "true"})
    api = FakeApi(otherwise=lambda request: again)
    played = play(requests(50), api, concurrency=1, retry=RetryPolicy(max=1, base=0.01, cap=0.01))
    assert list(ended(played).lanes) == [OPUS]
    assert len(set(api.order)) <= 20 + 1


def test_what_is_not_to_be_tried_again_costs_one_attempt() -> None:
    final = failure("overloaded", headers={"x-should-retry": "false"})
    played = play(requests(3), FakeApi({1: [final]}))
    assert played.statuses == {0: "ok", 1: "failed", 2: "ok"}
    assert played.api.order.count(1) == 1


def test_a_rows_own_patience_is_for_its_own_retries() -> None:
    rows = [request(0, retry=RetryPolicy(max=1, max_wait=2000.0)), *(request(n) for n in range(1, 5))]
    played = play(rows, FakeApi({0: [failure("overloaded", retry_after=1000.0)]}))
    assert ended(played) == Ended()
    assert 1001.0 <= played.api.times(0)[1] <= 1003.0
    assert max(when for n, when in played.api.sent if n) < 10


def test_a_row_without_retries_among_others_with_many() -> None:
    api = FakeApi({n: [failure("overloaded")] for n in range(6)})
    rows = [request(n, retry=RetryPolicy(max=0) if n % 2 else None) for n in range(6)]
    assert play(rows, api).statuses == {n: "failed" if n % 2 else "ok" for n in range(6)}


# ---------------------------------------------------------------- retries that wait


def test_a_deadline_before_every_retry_ends_at_once() -> None:
    api = FakeApi(otherwise=lambda request: failure("overloaded"))
    played = play(requests(3), api, retry=SLOW, deadline=40.0)
    assert played.duration <= 5.0
    assert ended(played).limit is not None
    assert (ended(played).abandoned, ended(played).unsent, played.results) == (3, 0, {})


def test_a_deadline_that_only_the_pace_comes_after_asks_nothing_of_the_api() -> None:
    """Half a second is no wait that anybody asked for."""
    api = FakeApi({0: [failure("overloaded")]}, seconds=9.4)
    played = play(requests(1), api, retry=RetryPolicy(base=1.0, cap=1.0), deadline=10.0)
    limit = ended(played).limit
    assert limit is not None
    assert limit.what == "deadline 10 s: it came before everything was answered"


def test_a_deadline_whose_last_replies_came_in_the_grace_left_nothing_undone() -> None:
    played = play(requests(2), FakeApi(slow={1: 15.0}), deadline=10.0, grace=5.0)
    assert played.statuses == {0: "ok", 1: "ok"}
    assert ended(played) == Ended()


def test_a_cap_that_is_reached_while_a_retry_waits_ends_the_run() -> None:
    api = FakeApi({0: [failure("overloaded", retry_after=300.0)]}, otherwise=lambda request: DEAR)
    budget = Budget(4.5 * WORST)
    played = play([request(n, body=BODY) for n in range(20)], api, budget=budget, concurrency=2)
    assert played.duration < 30
    assert ended(played).limit is not None
    assert ended(played).abandoned == 1
    assert 4 <= len(played.results) < 19
    assert (budget.reserved, budget.spent <= 4.5 * WORST) == (0, True)


def test_a_retry_that_could_not_be_announced_is_not_booked() -> None:
    broken = FakeSink()
    broken.break_on = lambda kind, n: OSError("full") if kind == "sent" and broken.of("failed") else None
    budget = Budget(None)
    played = play(requests(1), FakeApi({0: [failure("overloaded")]}), sink=broken, budget=budget)
    assert played.error is not None
    assert (budget.spent, budget.reserved) == (0, 0)


# ---------------------------------------------------------------- leaders


def test_a_leader_that_waits_for_its_retry_when_the_run_ends() -> None:
    """0 led and waits, 1 took its place and is refused as a whole account: 2 to 5 were never sent."""
    api = Streaming({0: [failure("overloaded", retry_after=50.0)], 1: [failure("authentication")]})
    played = play(sharing(6), api)
    assert api.streamed == [0, 1]
    assert (ended(played).abandoned, ended(played).unsent) == (2, 4)
    assert ended(played).failure == failure("authentication")


def test_a_stop_at_once_while_followers_wait_for_their_leader() -> None:
    budget = Budget(None)
    played = play(sharing(6), Streaming(seconds=10.0), later=at(2.0, now=True), budget=budget)
    assert (ended(played).stopped, ended(played).abandoned) == ("interrupted", 1)
    assert ended(played).unsent >= 3
    assert (budget.reserved, budget.spent) == (0, pytest.approx(WORST))


def test_a_deadline_while_followers_wait_for_their_leader() -> None:
    played = play(sharing(6), Streaming(slow={0: 100.0}), deadline=10.0, grace=5.0)
    assert ended(played).limit is not None
    assert played.duration == 15.0
    assert (ended(played).abandoned, played.results) == (1, {})


# ---------------------------------------------------------------- warm-ups


def test_a_request_whose_warm_up_is_told_to_wait_waits_and_another_one_leads() -> None:
    api = Streaming({0: [failure("overloaded", retry_after=30.0)]})
    played = play(sharing(4), api, warm_up=True)
    assert api.times(0) == [0.0, 31.0]
    assert set(played.statuses.values()) == {"ok"}
    assert api.streamed == [1]


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded"])
def test_a_warm_up_that_is_told_to_wait_for_an_hour_leaves_the_model(kind: Any) -> None:
    api = Streaming({0: [failure(kind, retry_after=HOUR)]})
    played = play(sharing(4), api, warm_up=True, models=[OPUS])
    assert played.duration < 5
    assert ended(played).gave_up == failure(kind, retry_after=HOUR)
    assert (ended(played).abandoned, played.results) == (0, {})


def test_a_warm_up_that_is_told_to_wait_beyond_the_deadline_ends_at_it() -> None:
    api = Streaming({0: [failure("rate_limited", retry_after=HOUR)]})
    played = play(sharing(4), api, warm_up=True, deadline=60.0, models=[OPUS])
    assert played.duration < 5
    assert (ended(played).gave_up, ended(played).limit is not None) == (None, True)


def test_a_warm_up_that_takes_the_last_money_ends_the_run_at_the_cap() -> None:
    budget = Budget(1.2 * WORST)
    api = Streaming(otherwise=lambda request: DEAR)
    played = play(sharing(4), api, warm_up=True, budget=budget)
    limit = ended(played).limit
    assert limit is not None
    assert limit.kind == "max_cost"
    assert (api.order, budget.reserved, budget.spent <= 1.2 * WORST) == ([0], 0, True)


def test_a_stop_during_a_warm_up_keeps_what_it_cost_and_sends_no_row() -> None:
    budget = Budget(None)
    played = play(sharing(4), Streaming(otherwise=lambda request: DEAR), warm_up=True, later=at(0.5), budget=budget)
    assert (ended(played).stopped, ended(played).abandoned, played.results) == ("interrupted", 0, {})
    assert len(played.sink.of("overhead")) == 1
    assert budget.spent > 0


def test_a_stop_at_once_during_a_warm_up_books_what_it_may_cost() -> None:
    budget = Budget(None)
    played = play(sharing(4), Streaming(seconds=10.0), warm_up=True, later=at(0.5, now=True), budget=budget)
    assert (ended(played).stopped, ended(played).abandoned) == ("interrupted", 0)
    assert (budget.reserved, budget.spent) == (0, pytest.approx(WORST))


def test_a_deadline_during_a_warm_up_gives_it_the_grace() -> None:
    played = play(sharing(4), Streaming(slow={0: 12.0}), warm_up=True, deadline=10.0, grace=5.0)
    assert ended(played).limit is not None
    assert len(played.sink.of("overhead")) == 1
    assert (played.duration, played.results) == (12.0, {})
