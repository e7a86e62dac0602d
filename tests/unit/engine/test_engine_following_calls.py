"""Calls that follow a reply with bodies of their own: the pace and the retries are those of what is really sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from engine_fakes import FakeApi, FakeSink, failure, play, reply, request, requests
from virtual_time import LoopClock

from runner.engine.budget import Budget
from runner.engine.live import Stop
from runner.engine.paces import Paces
from runner.models.worst_case import worst_case_usd
from runner.records import Attempt, Call, NextCall, Outcome, Request, RetryPolicy
from runner.spec.job import Limits

SHORT, LONG = 400, 40_000
"""Bytes; a token has four of them here."""


def longer(asked: Request, calls: Sequence[Call]) -> NextCall | None:
    """Each request's second call is a hundred times as long as its first."""
    return NextCall("turn", 1, b"y" * LONG, 100) if len(calls) == 1 else None


def by_length(asked: Request) -> Outcome:
    return reply(usage={"input_tokens": len(asked.body) // 4, "output_tokens": 10})


def most_over(bodies: list[tuple[float, int]], a_second: float) -> float:
    """How many tokens a bucket that refills so fast would have been overdrawn by, were it full at first.

    It holds one such long request: what is larger than the whole bucket may go when it is full.
    """
    level, before, most = LONG / 4, 0.0, 0.0
    for at, size in bodies:
        level = min(LONG / 4, level + a_second * (at - before)) - size / 4
        before, most = at, max(most, -level)
    return most


def paced(count: int, **changes: Any) -> tuple[Any, list[tuple[float, int]]]:
    bodies: list[tuple[float, int]] = []

    class Api(FakeApi):
        async def __call__(self, request: Request) -> Outcome:
            bodies.append((LoopClock().now(), len(request.body)))
            return await super().__call__(request)

    paces = Paces()
    paces.cap(Limits(input_tokens_per_minute=60_000))
    rows = requests(count, body=b"x" * SHORT)
    played = play(rows, Api(otherwise=by_length, seconds=0.1), follow=longer, paces=paces, concurrency=8, **changes)
    return played, bodies


def test_the_next_call_waits_for_what_it_needs_itself() -> None:
    played, bodies = paced(30)
    assert set(played.statuses.values()) == {"ok"}
    assert most_over(bodies, 1000.0) <= 1.0


def test_a_call_behind_an_earlier_sitting_waits_for_what_it_needs_itself() -> None:
    earlier = Call([], response=reply().message, usage=reply().message["usage"], cost_usd=0.0)
    played, bodies = paced(10, replies_of=lambda n: [earlier] if n else [])
    assert set(played.statuses.values()) == {"ok"}
    assert most_over(bodies, 1000.0) <= 1.0


# ---------------------------------------------------------------- retries of each call


def test_retries_of_the_next_call_count_from_one_again_and_429s_not_at_all() -> None:
    refused, overloaded = failure("rate_limited", retry_after=1.0), failure("overloaded")
    script: dict[int, list[Outcome]] = {0: [overloaded, reply(), refused, refused, overloaded, refused, overloaded]}
    played = play(requests(1), FakeApi(script), follow=longer, retry=RetryPolicy(max=1, base=10))
    first, second = played.results[0].calls
    assert (len(first.attempts), len(second.attempts)) == (2, 5)
    assert played.statuses == {0: "failed"}


def test_a_timeout_of_the_next_call_is_booked_once_and_at_its_own_price() -> None:
    budget, free = Budget(None), Budget(None)
    play(requests(1), FakeApi(otherwise=by_length), follow=longer, budget=free)
    lost = failure("timeout", maybe_billed=True)
    script: dict[int, list[Outcome]] = {0: [by_length(request(0)), lost]}
    play(requests(1), FakeApi(script, otherwise=by_length), follow=longer, budget=budget)
    assert budget.spent - free.spent == pytest.approx(worst_case_usd(request(0).model, LONG, 100))
    assert budget.reserved == 0


def test_a_conversation_whose_reply_is_not_safe_yet_when_it_is_given_up_is_left_undone() -> None:
    class SlowDisk(FakeSink):
        async def settled(self) -> None:
            await asyncio.sleep(10.0)

    def later(loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
        loop.call_later(3.0, stop.now)

    played = play(requests(1), sink=SlowDisk(), follow=longer, later=later)
    assert played.ended is not None
    assert (played.ended.stopped, played.ended.abandoned, played.results) == ("interrupted", 1, {})
    assert len(played.sink.of("reply")) == 1


def test_calls_of_an_earlier_sitting_are_taken_up_though_their_model_cannot_be_used() -> None:
    attempt = Attempt(1, "2026-11-21T00:00:00.000Z", 1.0)
    done = Call([attempt], response=reply().message, usage=reply().message["usage"], cost_usd=0.5)
    api = FakeApi({0: [failure("model_not_found")]})
    played = play(requests(3), api, concurrency=1, replies_of=lambda n: [done] if n == 2 else [])
    assert played.statuses == {0: "failed", 1: "failed", 2: "ok"}
    assert api.order == [0]
