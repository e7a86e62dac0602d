"""What a server bills never passes a cap: jobs that share money, in virtual time, through everything that can happen.

The server here bills by itself what it gets, at list prices and as dearly as a request allows; also what times out,
breaks off or is given up from here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine_fakes import HAIKU, OPUS, FakeSink, failure, reply, request
from hypothesis import event, example, given
from hypothesis import strategies as st
from virtual_time import LoopClock, run_virtually

from runner.engine.budget import Budget
from runner.engine.live import Ended, Stop, run_live
from runner.engine.paces import Paces
from runner.models.cost import message_cost_usd
from runner.models.worst_case import worst_case_usd
from runner.records import Call, NextCall, Outcome, Prefix, Request, RetryPolicy

UNHEARD_OF = "claude-unheard-of"
SYSTEM = Prefix("system", 300.0, 10)
UNPAID = ("rate_limited", "overloaded", "server_error", "invalid_request")
LOST = ("timeout", "truncated_stream", "connection")
LONGER = (1, 2, 7, 20)
"""How many times as long and as wordy each call of a request may be as its first."""
A_MOMENT = 1e-9


@dataclass(frozen=True)
class Fate:
    """What comes of each attempt, in their order and then from the front again: a kind of failure, or how much of what
    it may cost a reply costs; and how many seconds it takes."""

    outcomes: Sequence[tuple[str | float, float]]


@dataclass(frozen=True)
class Job:
    """cap: in worst cases of a first call. calls: of each request."""

    models: Sequence[str]
    fates: Sequence[Fate]
    calls: int
    cap: float | None
    concurrency: int | None
    warm_up: bool
    sharing: bool
    most_retries: int
    deadline: float | None


outcomes = st.tuples(st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.0, *UNPAID, *LOST]), st.sampled_from([0.1, 1.0, 3.0]))
fates = st.builds(Fate, st.lists(outcomes, min_size=1, max_size=4))
jobs = st.builds(
    Job,
    models=st.lists(st.sampled_from([OPUS, HAIKU, UNHEARD_OF]), min_size=1, max_size=3),
    fates=st.lists(fates, min_size=1, max_size=12),
    calls=st.integers(1, len(LONGER)),
    cap=st.none() | st.floats(0.5, 60.0),
    concurrency=st.sampled_from([None, 1, 3, 10]),
    warm_up=st.booleans(),
    sharing=st.booleans(),
    most_retries=st.integers(0, 3),
    deadline=st.none() | st.sampled_from([2.0, 20.0]),
)


def body_of(longer: int) -> bytes:
    return b'{"max_tokens":100,"x":"%s"}' % (b"x" * (200 * longer))


WORST = worst_case_usd(OPUS, len(body_of(1)), 100) or 0.0


@dataclass
class Server:
    """billed: US dollars by job, of models with a known price."""

    jobs: Sequence[Job]
    billed: list[float] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.billed = [0.0] * len(self.jobs)

    async def __call__(self, request: Request, began: Any = None) -> Outcome:
        number, row = divmod(request.n, 1000)
        tries = self.attempts[request.n] = self.attempts.get(request.n, 0) + 1
        fate = self.jobs[number].fates[row].outcomes
        what, seconds = fate[(tries - 1) % len(fate)]
        answer = self.answer(request, what if isinstance(what, float) else 1.0)
        if what not in UNPAID and request.model != UNHEARD_OF:
            self.billed[number] += message_cost_usd(answer.message, request.model) or 0.0
        await asyncio.sleep(seconds / 2)
        if began is not None and what not in UNPAID:
            began("msg", {})
        await asyncio.sleep(seconds / 2)
        if isinstance(what, float):
            return answer
        return failure(what, maybe_billed=what in LOST, retry_after=1.0 if what == "rate_limited" else None)

    def answer(self, request: Request, share: float) -> Any:
        """All its input is written to the cache for an hour, the dearest there is."""
        tokens = int(share * request.most_tokens)
        usage = {
            "input_tokens": 0,
            "output_tokens": int(share * request.max_tokens),
            "cache_creation_input_tokens": tokens,
            "cache_creation": {"ephemeral_1h_input_tokens": tokens, "ephemeral_5m_input_tokens": 0},
        }
        return reply(usage=usage, model=request.model)


def play_jobs(jobs: Sequence[Job], cap: float | None, stop_at: float | None, *, at_once: bool) -> Any:
    """(how each ended, their budgets, the server, their sinks)."""
    shared = None if cap is None else Budget(cap * WORST)
    budgets = [Budget(None if job.cap is None else job.cap * WORST, best_effort=True, above=shared) for job in jobs]
    server, stop, paces = Server(jobs), Stop(), Paces()
    sinks = [FakeSink() for _ in jobs]

    def running(number: int) -> Any:
        job = jobs[number]

        def follow(asked: Request, calls: Sequence[Call]) -> NextCall | None:
            if len(calls) >= job.calls:
                return None
            longer = LONGER[len(calls)]
            return NextCall("double", 0, body_of(longer), 100 * longer)

        rows = [
            request(
                1000 * number + n, body=body_of(1), model=job.models[n % len(job.models)],
                prefixes=(SYSTEM,) if job.sharing else (),
            )
            for n in range(len(job.fates))
        ]  # fmt: skip
        return run_live(
            iter(rows), send=server, sink=sinks[number], concurrency=job.concurrency, clock=LoopClock(),
            retry=RetryPolicy(max=job.most_retries), rng=random.Random(number), stop=stop, follow=follow, paces=paces,
            budget=budgets[number], warm_up=job.warm_up, deadline=job.deadline, grace=1.0, models=set(job.models),
        )  # fmt: skip

    async def main() -> list[Ended]:
        if stop_at is not None:
            asyncio.get_running_loop().call_later(stop_at, stop.now if at_once else stop.request)
        return list(await asyncio.gather(*(running(number) for number in range(len(jobs)))))

    return run_virtually(main()), [*budgets, *([shared] if shared else [])], server, sinks


WARMED = Job([OPUS], [Fate([(1.0, 1.0)])] * 4, 1, 60.0, 3, warm_up=True, sharing=True, most_retries=2, deadline=None)


@given(
    jobs=st.lists(jobs, min_size=1, max_size=3),
    cap=st.none() | st.floats(0.5, 100.0),
    stop_at=st.none() | st.floats(0.0, 15.0),
    at_once=st.booleans(),
)
@example(jobs=[WARMED], cap=None, stop_at=None, at_once=False)
@example(jobs=[WARMED], cap=None, stop_at=0.5, at_once=True)
def test_what_a_server_bills_never_passes_a_cap(
    jobs: Sequence[Job], cap: float | None, stop_at: float | None, at_once: bool
) -> None:
    ended, budgets, server, sinks = play_jobs(jobs, cap, stop_at, at_once=at_once)
    for job, budget, billed, end, sink in zip(jobs, budgets, server.billed, ended, sinks, strict=False):
        event(f"limit {end.limit.kind if end.limit else None}")
        assert billed <= budget.spent + A_MOMENT
        assert job.cap is None or budget.spent <= job.cap * WORST + A_MOMENT
        assert budget.reserved == 0
        done, left = len(sink.results), len(job.fates) - len(sink.results)
        assert left == 0 or end.stopped or end.limit or end.gave_up or end.failure
        assert end.unsent + end.abandoned <= left, done
    assert cap is None or sum(server.billed) <= cap * WORST + A_MOMENT
    assert all(budget.reserved == 0 for budget in budgets)
