"""Budget, deadline, warm-ups, look-ahead and pace together, in virtual time, against a pretend API."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from engine_fakes import HAIKU, OPUS, FakeApi, FakeSink, failure, play, reply, request, requests
from virtual_time import LoopClock, run_virtually

from runner.engine.budget import Budget
from runner.engine.live import Ended, Stop, run_live
from runner.engine.paces import Paces
from runner.models.worst_case import worst_case_usd
from runner.records import AttemptEnded, Outcome, Prefix, Request, RequestDone, RetryPolicy, Sending, SendingBegan
from runner.spec.job import Limits

WORST = worst_case_usd(OPUS, 2, 100) or 0.0
COST = 0.014
"""Of the fake reply; more than the worst case of its request, which has two bytes."""


def cheap(request: Request) -> Outcome:
    return reply(usage={"input_tokens": 1, "output_tokens": 10})


# ---------------------------------------------------------------- budget


def test_reservations_hold_concurrency_down_and_the_cap_is_never_passed():
    budget = Budget(10.5 * WORST)
    played = play(requests(30), FakeApi(otherwise=cheap), budget=budget, concurrency=20)
    assert played.api.most_in_flight == 10
    assert len(played.results) == 30
    assert budget.reserved == 0
    assert 0 < budget.spent <= 10.5 * WORST


def test_a_spent_budget_ends_the_run_and_says_so():
    budget = Budget(3.5 * WORST)
    dear = reply(usage={"input_tokens": 2, "output_tokens": 100})
    played = play(requests(30), FakeApi(otherwise=lambda request: dear), budget=budget)
    assert played.ended is not None
    assert played.ended.limit is not None
    assert played.ended.limit.kind == "max_cost"
    assert 3 <= len(played.results) < 30
    assert budget.spent <= 3.5 * WORST
    assert (budget.reserved, played.ended.cause) == (0, None)


def test_what_may_have_been_billed_is_spent_and_what_was_not_is_given_back():
    budget = Budget(100 * WORST)
    lost = failure("timeout", maybe_billed=True)
    play(requests(1), FakeApi({0: [lost, failure("overloaded"), cheap(request(0))]}), budget=budget)
    assert budget.spent == pytest.approx(WORST + spent_on_one())
    assert budget.reserved == 0


def spent_on_one() -> float:
    budget = Budget(None)
    play(requests(1), FakeApi(otherwise=cheap), budget=budget)
    return budget.spent


def test_an_unpriced_model_is_sent_only_with_best_effort():
    rows = [request(n, model="claude-unheard-of") for n in range(3)]
    assert play(rows, budget=Budget(1.0)).api.sent == []
    assert len(play(rows, budget=Budget(1.0, best_effort=True)).results) == 3


def test_what_is_given_up_at_once_counts_as_billed():
    budget = Budget(None)

    def stop(loop: asyncio.AbstractEventLoop, stop: Any) -> None:
        loop.call_later(1, stop.now)

    played = play(requests(2), FakeApi(seconds=10.0), budget=budget, later=stop)
    assert played.ended == Ended(stopped="interrupted", abandoned=2)
    assert budget.spent == pytest.approx(2 * WORST)
    assert budget.reserved == 0


# ---------------------------------------------------------------- deadline


def test_nothing_is_sent_that_would_come_too_late():
    played = play(requests(100), FakeApi(seconds=1.0), deadline=10.0, concurrency=2)
    assert played.ended is not None
    assert played.ended.limit is not None
    assert played.ended.limit.kind == "deadline"
    assert max(at for _, at in played.api.sent) <= 9.0
    assert played.duration <= 10.0
    assert (len(played.results), played.ended.abandoned) == (18, 0)


def test_a_job_that_is_done_in_time_reached_no_limit():
    played = play(requests(4), deadline=10.0)
    assert played.ended == Ended()


def test_what_is_in_flight_at_the_deadline_gets_the_grace():
    api = FakeApi(slow={0: 14.0, 1: 100.0})
    played = play(requests(2), api, deadline=10.0, grace=5.0)
    assert played.statuses == {0: "ok"}
    assert played.duration == 15.0
    assert played.ended is not None
    assert (played.ended.abandoned, played.ended.limit and played.ended.limit.kind) == (1, "deadline")


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded"])
def test_an_hour_asked_for_by_one_model_leaves_the_others_until_the_deadline(kind):
    rows = [request(n, model=OPUS if n % 2 else HAIKU) for n in range(40)]
    api = FakeApi({1: [failure(kind, http_status=429, retry_after=3600.0)]})
    played = play(rows, api, deadline=60.0, concurrency=8)
    assert {n for n in played.results if n % 2 == 0} == set(range(0, 40, 2))
    assert played.ended is not None
    assert played.ended.limit is not None
    assert played.ended.limit.kind == "deadline"
    assert "1 h" in played.ended.limit.what or "longer" in played.ended.limit.what
    assert played.duration < 30


def test_an_hour_asked_for_with_a_deadline_of_a_minute_ends_at_once():
    for kind in ("rate_limited", "overloaded"):
        api = FakeApi({n: [failure(kind, http_status=429, retry_after=3600.0)] for n in range(100)})
        played = play(requests(100), api, deadline=60.0)
        assert played.duration <= 2.0
        assert played.ended is not None
        assert (played.ended.gave_up, played.ended.failure, played.results) == (None, None, {})
        assert played.ended.limit is not None
        assert played.ended.limit.kind == "deadline"


def test_an_hour_asked_for_without_a_deadline_is_for_another_time():
    api = FakeApi({0: [failure("rate_limited", http_status=429, retry_after=3600.0)]})
    played = play(requests(10), api, concurrency=1)
    assert played.ended is not None
    assert (played.ended.limit, played.ended.gave_up is not None) == (None, True)


# ---------------------------------------------------------------- look-ahead


def test_a_paused_model_stops_no_other_however_the_rows_lie():
    rows = [request(n, model=OPUS if n < 100 or n % 2 else HAIKU) for n in range(300)]
    wait = failure("rate_limited", http_status=429, retry_after=120.0)
    api = FakeApi({0: [wait]}, seconds=0.1)
    played = play(rows, api, concurrency=64)
    haiku = [at for n, at in api.sent if rows[n].model == HAIKU]
    assert len(haiku) == 100
    assert max(haiku) < 60
    assert set(played.statuses.values()) == {"ok"}


def test_what_is_read_ahead_is_bounded():
    taken = []

    def rows():
        for n in range(20_000):
            taken.append(n)
            yield request(n)

    counts = []
    api = FakeApi(otherwise=lambda request: counts.append(len(taken) - len(api.sent)) or reply(), seconds=0.01)
    played = play(rows(), api, concurrency=None)
    assert len(played.results) == 20_000
    assert max(counts) <= 1000 + 16


# ---------------------------------------------------------------- what can be seen


def test_the_view_is_there_from_the_beginning():
    views: list[Sending] = []
    seen: list[tuple[int, int, float]] = []
    models: list[str] = []

    def observe(event: object) -> None:
        if isinstance(event, SendingBegan):
            views.append(event.sending)
        elif isinstance(event, RequestDone):
            view = views[0]
            seen.append((view.in_flight, view.waiting, view.spent_usd))
            models.extend(pace.model for pace in view.paces())

    budget = Budget(None, spent=5.0)
    played = play(requests(3), FakeApi(otherwise=cheap), observe=observe, budget=budget, concurrency=1)
    assert [flying for flying, _, _ in seen] == [1, 1, 1]
    assert seen[0][2] == pytest.approx(5.0 + spent_on_one())
    assert models == [OPUS] * 3
    assert played.ended is not None
    assert [pace.model for pace in played.ended.paces] == [OPUS]


def test_an_attempt_says_what_it_used_and_cost():
    (event,) = [event for event in play(requests(1)).events if isinstance(event, AttemptEnded)]
    assert (event.call, event.usage, event.cost_usd) == (0, {"input_tokens": 1000, "output_tokens": 500}, COST)


# ---------------------------------------------------------------- several jobs


def test_what_an_answer_gives_back_is_used_by_as_many_as_may_start():
    """The author's limit holds two such replies a minute as they are reserved, and hundreds as they turn out."""
    paces = Paces(500, slow_start=True)
    paces.cap(Limits(output_tokens_per_minute=6000))
    short = reply(usage={"input_tokens": 1, "output_tokens": 1})
    played = play(requests(60, max_tokens=3000), FakeApi(otherwise=lambda asked: short), concurrency=None, paces=paces)
    assert set(played.statuses.values()) == {"ok"}
    assert played.duration < 6


@pytest.mark.parametrize("concurrency", [None, 14])
def test_after_a_storm_as_many_are_in_flight_as_may_be(concurrency):
    """One in flight was enough to let nobody look whether a second might start."""

    def storm(asked: Request) -> Outcome:
        return failure("rate_limited", http_status=429) if 0.3 < LoopClock().now() < 5 else reply()

    played = play(requests(400), FakeApi(otherwise=storm, seconds=0.1), concurrency=concurrency)
    assert set(played.statuses.values()) == {"ok"}
    assert played.duration < 15


def test_two_jobs_share_a_pace():
    """A limit of two a second and a bucket of two, told to both: neither waits for the other to end."""
    told = Bucket(2.0, 2.0)
    api, paces = FakeApi(otherwise=told, seconds=0.1), Paces()

    async def both() -> list[Any]:
        def job(first: int) -> Any:
            return run_live(
                (request(n) for n in range(first, first + 30)), send=api, sink=FakeSink(), concurrency=None,
                retry=RetryPolicy(), clock=LoopClock(), rng=random.Random(1), stop=Stop(), paces=paces,
            )  # fmt: skip

        return list(await asyncio.gather(job(0), job(100)))

    ended = run_virtually(both())
    assert ended == [Ended(), Ended()]
    half = [n < 100 for n, at in api.sent if at < 14]
    assert 0.4 <= sum(half) / len(half) <= 0.6
    assert told.refused <= 4


@dataclass
class Bucket:
    rate: float
    size: float
    at: float = 0.0
    refused: int = 0
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.size

    def __call__(self, request: Request) -> Outcome:
        now = LoopClock().now()
        self.level, self.at = min(self.size, self.level + self.rate * (now - self.at)), now
        headers = {
            "anthropic-ratelimit-requests-limit": str(int(self.rate * 60)),
            "anthropic-ratelimit-requests-remaining": str(max(0, int(self.level) - 1)),
        }
        if self.level < 1:
            self.refused += 1
            return failure("rate_limited", retry_after=1.0, headers=headers)
        self.level -= 1
        answer = reply()
        return type(answer)(answer.message, headers=headers)


# ---------------------------------------------------------------- warming up


SYSTEM = Prefix("system", 300.0, 10)


@dataclass
class WarmApi(FakeApi):
    bodies: list[Any] = field(default_factory=list)

    async def __call__(self, request: Request, began: Any = None) -> Outcome:
        self.bodies.append((orjson.loads(request.body), began is not None))
        return await super().__call__(request)


def warmed(count: int = 4, body: bytes = b'{"max_tokens":100,"stream":true}', **changes: Any) -> list[Request]:
    return [request(n, prefixes=(SYSTEM,), body=body, **changes) for n in range(count)]


def test_a_warm_up_goes_first_and_is_no_request_of_the_plan():
    api = WarmApi()
    budget = Budget(None)
    played = play(warmed(), api, warm_up=True, budget=budget)
    assert api.bodies[0] == ({"max_tokens": 0}, False)
    assert [at for _, at in api.sent] == [0.0, 1.0, 1.0, 1.0, 1.0]
    assert not any(streamed for _, streamed in api.bodies)
    assert played.statuses == dict.fromkeys(range(4), "ok")
    kinds = [kind for kind, _, _ in played.sink.lines]
    assert kinds[:2] == ["overhead_sent", "overhead"]
    assert kinds.count("overhead") == 1
    (_, call, failed) = played.sink.of("overhead")[0]
    assert (call.usage["input_tokens"], failed) == (1000, None)
    assert budget.spent == pytest.approx(5 * COST)
    assert [len(result.calls[0].attempts) for result in played.results.values()] == [1] * 4


def test_a_warm_up_that_fails_leaves_it_to_a_leader():
    api = WarmApi({0: [failure("overloaded")]})
    played = play(warmed(), api, warm_up=True)
    assert [streamed for _, streamed in api.bodies] == [False, True, False, False, False]
    assert played.statuses == dict.fromkeys(range(4), "ok")
    assert played.sink.of("overhead")[0][2].kind == "overloaded"


def test_a_warm_up_that_the_api_would_refuse_is_not_tried():
    body = b'{"max_tokens":100,"output_config":{"format":{"type":"json_schema"}}}'
    api = WarmApi()
    played = play(warmed(body=body), api, warm_up=True)
    assert played.sink.of("overhead") == []
    assert [streamed for _, streamed in api.bodies] == [True, False, False, False]


# ---------------------------------------------------------------- stopping


def test_a_reply_that_arrives_at_the_moment_of_giving_up_is_kept():
    def stop(loop: asyncio.AbstractEventLoop, stop: Any) -> None:
        loop.call_later(1.0, stop.now)

    played = play(requests(4), FakeApi(seconds=1.0), later=stop)
    assert len(played.results) == 4
