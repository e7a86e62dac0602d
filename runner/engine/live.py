"""The live engine: a few workers take requests from one iterator, send them, and write down how each one ended.

What is received is written before anyone else hears of it. A failure ends an attempt, its request, its lane (a model)
or the run, as its kind says (`records.FAILURE_SCOPES`); who ends the run early, ends it politely: what is in flight
arrives and is kept. Never a task a row, so memory does not grow with the rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from runner.engine.clock import Clock
from runner.engine.dispatch import Dispatch, Pending
from runner.engine.lanes import Lane, Lanes, for_the_others
from runner.engine.results import answered, bad_row, failed
from runner.engine.retry import asks_too_much, next_wait
from runner.engine.stop import Stop
from runner.errors import OutputError
from runner.models.cost import worst_case_usd
from runner.records import (
    Attempt,
    AttemptEnded,
    Event,
    Failure,
    Outcome,
    Reply,
    Request,
    RequestDone,
    Result,
    RetryPolicy,
)

__all__ = ["Ended", "Sink", "Stop", "run_live"]


class Sink(Protocol):
    """Where a run is written down. Each call returns once the operating system has the line; raises OutputError."""

    def sent(self, request: Request, attempt: int, at: str, may_cost: float | None) -> None:
        """About to be sent. may_cost: US dollars at most, None without a known price."""
        ...

    def attempt_failed(self, request: Request, attempt: Attempt) -> None: ...

    def done(self, result: Result) -> None: ...


@dataclass(frozen=True)
class Ended:
    """How sending ended.

    stopped: the reason given to `Stop` when it left something undone. failure: what ended the run. lanes: models that
    were given up. abandoned: requests that were sent and have no result. unsent: taken from the iterator, never sent;
    what the iterator still holds is not counted. gave_up: the API is unavailable, or asks for a
    longer wait than the job allows.
    """

    stopped: str | None = None
    failure: Failure | None = None
    lanes: Mapping[str, Failure] = field(default_factory=dict)
    unsent: int = 0
    abandoned: int = 0
    gave_up: Failure | None = None

    @property
    def cause(self) -> Failure | None:
        """Why nothing more was sent, when the reason lies with the account or the API."""
        return self.failure or self.gave_up


async def run_live(
    requests: Iterator[Request],
    *,
    send: Callable[[Request], Awaitable[Outcome]],
    sink: Sink,
    concurrency: int,
    retry: RetryPolicy,
    clock: Clock,
    rng: Random,
    stop: Stop,
    observe: Callable[[Event], None] = lambda event: None,
) -> Ended:
    """Send every request and give each its result, at most `concurrency` in flight.

    Raises OutputError at once when the sink cannot write. What the iterator raises stops the sending, comes out once
    everything in flight has been written down, and costs nothing that was received.
    """
    lanes = Lanes()
    run = _Run(
        Dispatch(requests, lanes, clock, concurrency), lanes, send, sink, concurrency, retry, clock, rng, observe
    )
    workers = [asyncio.create_task(run.work()) for _ in range(concurrency)]

    def stopped() -> None:
        run.dispatch.end()
        if stop.at_once:
            cancel(workers)

    with stop.telling(stopped):
        await run.finish_workers(workers)
    return run.ended(stop)


def cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


@contextmanager
def writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"the outputs could not be written: {error}") from error


@dataclass
class _Run:
    """The state of one `run_live`."""

    dispatch: Dispatch
    lanes: Lanes
    send: Callable[[Request], Awaitable[Outcome]]
    sink: Sink
    concurrency: int
    retry: RetryPolicy
    clock: Clock
    rng: Random
    observe: Callable[[Event], None]
    failure: Failure | None = None
    gave_up: Failure | None = None

    async def finish_workers(self, workers: Sequence[asyncio.Task[None]]) -> None:
        """Wait for all workers; after an error for those that are in flight; after a failed write for nobody."""
        errors: list[BaseException] = []
        running = set(workers)
        try:
            while running:
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
                errors += [error for task in ended if not task.cancelled() and (error := task.exception())]
                if errors:
                    self.dispatch.end()
                if any(isinstance(error, OutputError) for error in errors):
                    break
        finally:
            cancel(workers)
            await asyncio.gather(*workers, return_exceptions=True)
        for error in sorted(errors, key=lambda error: not isinstance(error, OutputError)):
            raise error

    def ended(self, stop: Stop) -> Ended:
        return Ended(
            stopped=None if self.dispatch.complete else stop.reason,
            failure=self.failure,
            lanes=self.lanes.closed(),
            unsent=self.dispatch.unsent,
            abandoned=self.dispatch.abandoned,
            gave_up=self.gave_up,
        )

    async def work(self) -> None:
        while (pending := await self.dispatch.next()) is not None:
            lane = self.lanes.of(pending.request.model)
            if pending.request.problem is not None:
                self._finish(bad_row(pending.request))
            elif lane.closed is not None:
                self._finish(failed(pending.request, for_the_others(lane.closed), pending.attempts))
            else:
                await self._attempt(pending, lane)
                continue
            await asyncio.sleep(0)  # many such rows in a row must not hold up what is in flight

    async def _attempt(self, pending: Pending, lane: Lane) -> None:
        request, n, at = pending.request, len(pending.attempts) + 1, self.clock.utc()
        with writing():
            may_cost = worst_case_usd(request.model, len(request.body), request.max_tokens)
            self.sink.sent(request, n, at, may_cost)
        pending.sent, pending.began = True, self.clock.now()
        try:
            outcome = await self.send(request)
        except asyncio.CancelledError:
            self.dispatch.put_back(pending)
            raise
        failure = outcome if isinstance(outcome, Failure) else None
        seconds = self.clock.now() - pending.began
        attempt = Attempt(n, at, seconds, outcome.http_status, outcome.request_id, failure, outcome.headers)
        pending.attempts.append(attempt)
        if isinstance(outcome, Reply):
            self._finish(answered(request, outcome, pending.attempts), attempt)
            lane.answered()
        else:
            self._failed(pending, lane, attempt, outcome)

    def _finish(self, result: Result, attempt: Attempt | None = None) -> None:
        with writing():
            self.sink.done(result)
        if attempt is not None:
            self.observe(AttemptEnded(result.request, attempt))
        self.observe(RequestDone(result))

    def _failed(self, pending: Pending, lane: Lane, attempt: Attempt, failure: Failure) -> None:
        request, now = pending.request, self.clock.now()
        policy = request.retry or self.retry
        with writing():
            self.sink.attempt_failed(request, attempt)
        self._learn(lane, failure, pending.began, now)
        wait = next_wait(failure, attempt=attempt.n, policy=policy, rng=self.rng)
        again = wait is not None and not self.dispatch.ended
        self.observe(AttemptEnded(request, attempt, waiting=wait if again else None))
        if wait is not None or failure.ends_run:
            self.dispatch.put_back(pending, due=now + (wait or 0.0))
        else:
            self._give_up(lane, failure, policy)
            self._finish(failed(request, failure, pending.attempts))

    def _learn(self, lane: Lane, failure: Failure, began: float, now: float) -> None:
        """What a failure says about more than its request."""
        if failure.kind == "rate_limited":
            first_gap = (failure.retry_after or self.retry.base) / self.concurrency
            lane.limited(failure, began=began, now=now, gap=first_gap)
        elif failure.scope == "request":
            lane.rejected(failure)
        elif failure.ends_lane:
            lane.close(failure)
        elif failure.ends_run:
            self.failure = self.failure or failure
            self.dispatch.end()

    def _give_up(self, lane: Lane, failure: Failure, policy: RetryPolicy) -> None:
        """The API is out of reach for everyone: it asks for a longer wait than the job allows (one beyond a row's own
        limit ends only that row), or one request after the other used up its retries."""
        too_long = asks_too_much(failure, policy) and asks_too_much(failure, self.retry)
        if too_long or (failure.retryable and lane.lose()):
            self.gave_up = self.gave_up or failure
            self.dispatch.end()
