"""A model that is out of reach is left for another sitting; the others go on, and the run ends when they are done."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from engine_fakes import HAIKU, OPUS, FakeApi, FakeSink, failure, play, reply, request
from virtual_time import LoopClock, run_virtually

from runner.engine.budget import Budget
from runner.engine.deadline import Deadline
from runner.engine.dispatch import Dispatch
from runner.engine.lanes import Lanes
from runner.engine.leaders import Leaders
from runner.engine.live import Ended, Stop, run_live
from runner.engine.paces import Paces
from runner.engine.pending import Pending
from runner.models.worst_case import worst_case_usd
from runner.records import Outcome, Prefix, Request, RequestDone, RetryPolicy, Sending, SendingBegan

BOTH = (OPUS, HAIKU)
HOUR = 3600.0
WORST = worst_case_usd(OPUS, 2, 100) or 0.0


def alternating(count: int) -> Iterator[Request]:
    """Haiku, Opus, Haiku, ..."""
    return (request(n, model=BOTH[1 - n % 2]) for n in range(count))


# ---------------------------------------------------------------- leaving one


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded"])
def test_a_wait_beyond_the_jobs_limit_leaves_that_model_alone(kind: Any) -> None:
    asked = failure(kind, http_status=429, retry_after=HOUR)
    api = FakeApi({1: [asked]})
    played = play(alternating(60), api, concurrency=2, models=BOTH)
    assert dict.fromkeys(range(0, 60, 2), "ok").items() <= played.statuses.items()
    assert played.results[1].failure == asked
    assert played.duration < 40
    assert played.ended is not None
    assert (played.ended.limit, played.ended.lanes, played.ended.stopped) == (None, {}, None)
    assert played.ended.gave_up is not None
    assert played.ended.gave_up.message == f"{OPUS}: a {kind}"
    assert played.ended.unsent + played.ended.abandoned == 60 - len(played.results)
    assert sum(n % 2 for n in api.order) <= 2


def test_an_outage_of_one_model_leaves_that_model_alone() -> None:
    def outage(request: Request) -> Outcome:
        return failure("connection") if request.model == OPUS else reply()

    played = play(alternating(400), FakeApi(otherwise=outage), retry=RetryPolicy(max=1), models=BOTH)
    assert sum(status == "ok" for status in played.statuses.values()) == 200
    assert 20 <= sum(status == "failed" for status in played.statuses.values()) < 30
    assert played.ended is not None
    assert played.ended.gave_up is not None
    assert played.ended.gave_up.kind == "connection"


def test_once_every_model_is_left_nothing_more_is_read() -> None:
    taken = []

    def rows() -> Iterator[Request]:
        for row in alternating(10_000):
            taken.append(row)
            yield row

    asked = failure("rate_limited", http_status=429, retry_after=HOUR)
    played = play(rows(), FakeApi(otherwise=lambda request: asked), models=BOTH)
    assert len(taken) < 100
    assert played.duration <= 3.0
    assert played.ended is not None
    assert played.ended.gave_up is not None


def test_a_single_model_ends_the_run_without_reading_on() -> None:
    taken = []

    def rows() -> Iterator[Request]:
        for n in range(10_000):
            taken.append(n)
            yield request(n)

    asked = failure("overloaded", retry_after=HOUR)
    played = play(rows(), FakeApi(otherwise=lambda request: asked), models=[OPUS])
    assert len(taken) < 100
    assert played.ended is not None
    assert played.ended.gave_up == asked


def test_requests_of_a_model_that_is_left_are_not_kept() -> None:
    """Thousands lie before the last one of another model, and none of them waits."""
    views: list[Sending] = []
    waiting = []

    def observe(event: object) -> None:
        if isinstance(event, SendingBegan):
            views.append(event.sending)
        elif isinstance(event, RequestDone) and event.result.request.model == HAIKU:
            waiting.append(views[0].waiting)

    rows = (request(n, model=HAIKU if n == 20_000 else OPUS) for n in range(20_001))
    api = FakeApi({0: [failure("rate_limited", retry_after=HOUR)]})
    played = play(rows, api, concurrency=2, models=BOTH, observe=observe)
    assert waiting == [0]
    assert played.statuses[20_000] == "ok"
    assert played.ended is not None
    assert played.ended.unsent + played.ended.abandoned == 20_001 - len(played.results)


def test_retries_and_followers_of_a_model_that_is_left_hold_nothing_up() -> None:
    shared = (Prefix("system", 300.0),)
    rows = [request(n, prefixes=shared if n % 2 else (), model=BOTH[1 - n % 2]) for n in range(40)]
    script: dict[int, list[Outcome]] = {
        1: [failure("overloaded", retry_after=500.0)],
        3: [failure("rate_limited", retry_after=HOUR)],
    }

    async def send(request: Request, began: Any = None) -> Outcome:
        return await api(request)

    api = FakeApi(script, seconds=0.5)
    played = play(rows, send, models=BOTH)  # type: ignore[arg-type]
    assert {n for n, status in played.statuses.items() if status == "ok"} == set(range(0, 40, 2))
    assert played.duration < 30
    assert played.ended is not None
    assert (played.ended.abandoned, played.ended.unsent) == (1, 18)


@dataclass
class Hand:
    """A clock that is moved by hand."""

    at: float = 0.0

    def now(self) -> float:
        return self.at

    def utc(self) -> str:
        return "2026-11-22T00:00:00.000Z"

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_leader_that_waits_for_money_while_its_model_is_left_frees_its_followers() -> None:
    """Another job has the money, and it is told to wait for an hour: nobody in flight here would look again."""
    shared, clock, above = (Prefix("system", 300.0),), Hand(), Budget(1.5 * WORST)
    above.take(WORST)
    dispatch = Dispatch(
        iter([request(0, prefixes=shared)]), Lanes(), clock, 2, Leaders(clock), Budget(None, above=above), Deadline(),
        price=lambda request: WORST, max_wait=600.0,
    )  # fmt: skip
    assert dispatch.pick() is None
    dispatch.put_back(Pending(request(1, prefixes=shared), sent=True))
    assert dispatch.pick() is None
    assert [pending.request.n for pending in dispatch.leaders.pendings()] == [1]
    dispatch.lanes.of(OPUS).pace.brake.pause(clock.now() + HOUR)
    assert dispatch.pick() is None
    assert dispatch.due == clock.now()
    assert dispatch.pick() is None
    assert (dispatch.idle, dispatch.unsent, dispatch.abandoned) == (True, 1, 1)


def test_what_is_left_for_the_deadline_does_not_keep_the_others_from_being_read() -> None:
    """With one in flight the look-ahead was full of the model that waits."""
    rows = [request(n, model=OPUS if n < 100 else HAIKU) for n in range(120)]
    api = FakeApi({0: [failure("rate_limited", retry_after=HOUR)]})
    played = play(rows, api, concurrency=1, deadline=60.0, models=BOTH)
    assert {n for n, status in played.statuses.items() if status == "ok"} == set(range(100, 120))
    assert played.ended is not None
    assert (played.ended.gave_up, played.ended.abandoned, played.ended.unsent) == (None, 1, 99)
    assert played.ended.limit is not None
    assert "1 h longer" in played.ended.limit.what


def test_a_stop_is_why_a_run_ended_though_it_had_left_a_model() -> None:
    api = FakeApi({1: [failure("rate_limited", retry_after=HOUR)]})
    played = play(
        alternating(60), api, concurrency=2, models=BOTH, later=lambda loop, stop: loop.call_later(9, stop.request)
    )
    assert played.ended is not None
    assert (played.ended.stopped, played.ended.gave_up is not None) == ("interrupted", True)


def test_a_model_that_cannot_be_used_is_not_left_but_closed() -> None:
    script: dict[int, list[Outcome]] = {0: [failure("model_not_found")], 1: [failure("overloaded", retry_after=HOUR)]}
    played = play([request(n) for n in range(30)], FakeApi(script, slow={1: 5.0}), concurrency=2, models=[OPUS])
    assert played.ended is not None
    assert (played.ended.gave_up, list(played.ended.lanes)) == (None, [OPUS])
    assert len(played.results) == 30


# ---------------------------------------------------------------- waits that nobody here was asked for


def test_a_wait_that_another_job_was_asked_for_holds_for_this_one_too() -> None:
    """One with a deadline ends at it; one without does not wait for an hour because of it."""
    paces, api = Paces(), FakeApi({0: [failure("rate_limited", retry_after=HOUR)]})

    async def both() -> tuple[Ended, Ended, float]:
        def job(first: int, **changes: Any) -> Any:
            return run_live(
                (request(n) for n in range(first, first + 30)), send=api, sink=FakeSink(), concurrency=1,
                retry=RetryPolicy(), clock=LoopClock(), rng=random.Random(1), stop=Stop(), paces=paces, **changes,
            )  # fmt: skip

        one, two = await asyncio.gather(job(0, deadline=60.0), job(100))
        return one, two, LoopClock().now()

    one, two, seconds = run_virtually(both())
    assert (one.gave_up, one.limit is not None) == (None, True)
    assert two.limit is None
    assert two.gave_up is not None
    assert (two.gave_up.kind, two.gave_up.message) == ("rate_limited", "the API asks to wait 1 h longer")
    assert seconds < 10


def test_an_hour_asked_for_by_a_429_that_is_not_to_be_tried_again_is_not_waited_for() -> None:
    asked = failure("rate_limited", retry_after=HOUR, headers={"x-should-retry": "false"})
    played = play([request(n) for n in range(5)], FakeApi({0: [asked]}), concurrency=1)
    assert played.statuses == {0: "failed"}
    assert played.duration < 10
    assert played.ended is not None
    assert played.ended.gave_up is not None
    assert played.ended.unsent == 4


def test_pauses_of_the_paces_own_are_waited_for_however_short_waits_may_be() -> None:
    """`max_wait` is about what a server asks for, and this one asks for nothing."""
    api = FakeApi({n: [failure("rate_limited")] * 5 for n in range(3)})
    played = play([request(n) for n in range(6)], api, retry=RetryPolicy(max=20, max_wait=0.1))
    assert played.ended == Ended()
    assert list(played.statuses.values()) == ["ok"] * 6


# ---------------------------------------------------------------- looking past one that waits


def test_a_paused_model_stops_no_other_with_few_in_flight() -> None:
    rows = [request(n, model=OPUS if n < 300 or n % 2 else HAIKU) for n in range(500)]
    api = FakeApi({0: [failure("rate_limited", http_status=429, retry_after=120.0)]}, seconds=0.1)
    played = play(rows, api, concurrency=2, models=BOTH)
    haiku = [at for n, at in api.sent if rows[n].model == HAIKU]
    assert len(haiku) == 100
    assert max(haiku) < 60
    assert set(played.statuses.values()) == {"ok"}


def test_a_model_that_is_closed_keeps_nobody_waiting() -> None:
    script: dict[int, list[Outcome]] = {n: [failure("overloaded", retry_after=500.0)] for n in range(8)}
    script[8] = [failure("permission")]
    rows = [request(n, model=OPUS if n < 50 else HAIKU) for n in range(60)]
    played = play(rows, FakeApi(script), concurrency=2)
    assert played.duration < 60
    assert played.statuses == {n: "failed" if n < 50 else "ok" for n in range(60)}


def test_a_storm_at_one_model_takes_few_rows_though_many_are_read() -> None:
    def storm(request: Request) -> Outcome:
        return failure("overloaded", retry_after=300.0) if request.model == OPUS else reply()

    api = FakeApi(otherwise=storm)
    rows = [request(n, model=OPUS if n < 500 else HAIKU) for n in range(520)]
    play(rows, api, concurrency=3, models=BOTH, later=lambda loop, stop: loop.call_later(100, stop.request))
    assert sum(n < 500 for n in api.order) <= 3 * 4 + 3
    assert sum(n >= 500 for n in api.order) == 20


def test_what_is_read_ahead_of_several_models_is_bounded() -> None:
    taken = []

    def rows() -> Iterator[Request]:
        for n in range(20_000):
            taken.append(n)
            yield request(n, model=OPUS if n < 10_000 else HAIKU)

    api = FakeApi({0: [failure("rate_limited", retry_after=300.0)]}, seconds=0.01)
    most = []
    api.otherwise = lambda request: most.append(len(taken)) or reply()  # type: ignore[func-returns-value]
    played = play(rows(), api, concurrency=2, models=BOTH)
    assert most[1] <= 1000 + 16
    assert len(played.results) == 20_000
