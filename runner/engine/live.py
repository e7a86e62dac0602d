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
from runner.engine.leaders import Leaders
from runner.engine.results import answered, bad_row, call_of, failed
from runner.engine.retry import asks_too_much, next_wait
from runner.engine.stop import Stop
from runner.errors import OutputError
from runner.models.cost import worst_case_usd
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.prompts.judge import judge as judge_calls
from runner.records import (
    Attempt,
    AttemptEnded,
    Call,
    Event,
    Failure,
    Judgement,
    NextCall,
    Outcome,
    Reply,
    Request,
    RequestDone,
    Result,
    RetryPolicy,
)

__all__ = ["Ended", "Sink", "Stop", "run_live"]


class Sink(Protocol):
    """Where a run is written down. Each call returns once the operating system has the line; raises OutputError.

    call: which of the request's calls, from 0.
    """

    def sent(self, request: Request, attempt: int, at: str, may_cost: float | None, call: int) -> None:
        """About to be sent. may_cost: US dollars at most, None without a known price."""
        ...

    def attempt_failed(self, request: Request, attempt: Attempt, call: int) -> None: ...

    def replied(self, request: Request, answer: Call, call: int) -> None:
        """A call was answered, and no answered result of its request follows at once."""
        ...

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


def no_other_call(request: Request, calls: Sequence[Call]) -> NextCall | None:
    """The default for `follow`: every request makes one call."""
    return None


def no_replies(n: int) -> Sequence[Call]:
    """The default for `replies_of`: no earlier sitting got any."""
    return ()


async def run_live(
    requests: Iterator[Request],
    *,
    send: Callable[..., Awaitable[Outcome]],
    sink: Sink,
    concurrency: int,
    retry: RetryPolicy,
    clock: Clock,
    rng: Random,
    stop: Stop,
    observe: Callable[[Event], None] = lambda event: None,
    follow: Callable[[Request, Sequence[Call]], NextCall | None] = no_other_call,
    judge: Callable[[Request, Sequence[Call]], Judgement] = judge_calls,
    replies_of: Callable[[int], Sequence[Call]] = no_replies,
    diagnose: bool = False,
    prices: PriceTable = LIST_PRICES,
) -> Ended:
    """Send every request and give each its result, at most `concurrency` in flight.

    follow: the call to make after these, None when there is none; judge: what they amount to then. Both are pure.
    replies_of: the calls of request n that an earlier sitting got an answer to; it goes on behind them.
    send: one attempt; for a request that leads a prefix also `began=`, a `records.Began`.
    prices: what answers are billed by. diagnose: have the API say why a cached prefix was missed.
    Raises OutputError at once when the sink cannot write. What the iterator raises stops the sending, comes out once
    everything in flight has been written down, and costs nothing that was received.
    """
    lanes = Lanes()
    run = _Run(
        Dispatch(requests, lanes, clock, concurrency, Leaders(clock, diagnose)), lanes, send, sink, concurrency,
        retry, clock, rng, observe,
        follow, judge, replies_of, prices=prices,
    )  # fmt: skip
    workers = [asyncio.create_task(run.work()) for _ in range(concurrency)]

    def stopped() -> None:
        run.dispatch.end()
        if stop.at_once:
            cancel(workers)

    with stop.telling(stopped):
        await run.finish_workers(workers)
    return run.ended(stop)


def given_up(pending: Pending, failure: Failure) -> Result:
    """The result of a request whose call under way gets no answer any more."""
    return failed(pending.request, failure, pending.attempts, calls=pending.calls, asked=pending.asked)


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
    send: Callable[..., Awaitable[Outcome]]
    sink: Sink
    concurrency: int
    retry: RetryPolicy
    clock: Clock
    rng: Random
    observe: Callable[[Event], None]
    follow: Callable[[Request, Sequence[Call]], NextCall | None]
    judge: Callable[[Request, Sequence[Call]], Judgement]
    replies_of: Callable[[int], Sequence[Call]]
    failure: Failure | None = None
    gave_up: Failure | None = None
    prices: PriceTable = LIST_PRICES

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
            try:
                await self._work_on(pending)
            finally:
                self.dispatch.leaders.left(pending.request)

    async def _work_on(self, pending: Pending) -> None:
        lane = self.lanes.of(pending.request.model)
        if pending.request.problem is not None:
            self._finish(bad_row(pending.request))
        elif not pending.known and self._was_complete(pending):
            self._finish(answered(pending.request, pending.calls, self.judge(pending.request, pending.calls)))
        elif lane.closed is not None:
            self._finish(given_up(pending, for_the_others(lane.closed)))
        else:
            await self._attempt(pending, lane)
            return
        await asyncio.sleep(0)  # many such rows in a row must not hold up what is in flight

    async def _attempt(self, pending: Pending, lane: Lane) -> None:
        request, n, at = pending.to_send, len(pending.attempts) + 1, self.clock.utc()
        with writing():
            may_cost = worst_case_usd(
                request.model, request.most_tokens, request.max_tokens, self.prices, request.terms
            )
            self.sink.sent(request, n, at, may_cost, len(pending.calls))
        pending.sent, pending.began = True, self.clock.now()
        try:
            outcome = await self._send(pending, request)
        except asyncio.CancelledError:
            self.dispatch.put_back(pending)
            raise
        failure = outcome if isinstance(outcome, Failure) else None
        seconds = self.clock.now() - pending.began
        attempt = Attempt(n, at, seconds, outcome.http_status, outcome.request_id, failure, outcome.headers)
        pending.attempts.append(attempt)
        if isinstance(outcome, Reply):
            self.dispatch.leaders.began(pending.request, outcome.message.get("id"))
            self._answered(pending, attempt, outcome)
            lane.answered()
        else:
            self._failed(pending, lane, attempt, outcome)

    async def _send(self, pending: Pending, request: Request) -> Outcome:
        leaders = self.dispatch.leaders
        if leaders.leads(pending.request):
            return await self.send(leaders.asking(request), began=lambda id: leaders.began(pending.request, id))
        return await self.send(leaders.asking(request))

    def _was_complete(self, pending: Pending) -> bool:
        """Take up the calls that an earlier sitting got answered. Whether nothing is left to ask."""
        pending.known = True
        pending.calls.extend(self.replies_of(pending.request.n))
        following = self.follow(pending.request, pending.calls) if pending.calls else None
        if following is not None:
            pending.ask(following)
        return bool(pending.calls) and following is None

    def _answered(self, pending: Pending, attempt: Attempt, reply: Reply) -> None:
        """Write a reply down and ask what follows. A reply that no answered result holds gets a line of its own."""
        request = pending.request
        call, number = call_of(request, reply, pending.attempts, pending.asked, self.prices), len(pending.calls)
        pending.calls.append(call)
        result = following = None
        try:
            following = self.follow(request, pending.calls)
            if following is None:
                result = answered(request, pending.calls, self.judge(request, pending.calls))
        finally:
            if result is None or not result.answered:  # also when those raise: the reply was paid for
                with writing():
                    self.sink.replied(request, call, number)
        if result is not None:
            self._finish(result, attempt)
        elif following is not None:
            self.observe(AttemptEnded(request, attempt))
            pending.ask(following)
            self.dispatch.put_back(pending)

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
            self.sink.attempt_failed(request, attempt, len(pending.calls))
        self._learn(lane, failure, pending.began, now)
        wait = next_wait(failure, attempt=attempt.n, policy=policy, rng=self.rng)
        again = wait is not None and not self.dispatch.ended
        self.observe(AttemptEnded(request, attempt, waiting=wait if again else None))
        if wait is not None or failure.ends_run:
            self.dispatch.put_back(pending, due=now + (wait or 0.0))
        else:
            self._give_up(lane, failure, policy)
            self._finish(given_up(pending, failure))

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
