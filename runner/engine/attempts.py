"""One attempt and what comes of it: sent, written down, settled, tried again or done.

What is received is written before anyone else hears of it. A failure ends an attempt, its request, its lane (a model)
or the run, as its kind says (`records.FAILURE_SCOPES`). Decides nothing about who goes when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from runner.engine.clock import Clock
from runner.engine.dispatch import Dispatch
from runner.engine.lanes import Lane, for_the_others
from runner.engine.pace import Ticket
from runner.engine.pending import Pending
from runner.engine.results import answered, bad_row, call_of, failed
from runner.engine.retry import asks_too_much, may_retry, next_wait
from runner.engine.sink import Sink, writing
from runner.engine.warm_up import warm_up_of
from runner.models.price_table import LIST_PRICES, PriceTable
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

STRAINS = frozenset({"overloaded", "server_error", "timeout", "connection", "truncated_stream"})
"""Kinds that say the server (or the way to it) has trouble, whoever asks."""
TRUSTED = 2
"""How often in a row a request believes a 429's `retry-after`."""


@dataclass(eq=False)
class Attempts:
    """changed: told when an attempt ended, after its reservations were settled. failure: what ends the run.

    warm_up: write cold prefixes with a request of its own. gave_up: the API is out of reach.
    """

    dispatch: Dispatch
    send: Callable[..., Awaitable[Outcome]]
    sink: Sink
    retry: RetryPolicy
    clock: Clock
    rng: Random
    observe: Callable[[Event], None]
    follow: Callable[[Request, Sequence[Call]], NextCall | None]
    judge: Callable[[Request, Sequence[Call]], Judgement]
    replies_of: Callable[[int], Sequence[Call]]
    warm_up: bool = False
    prices: PriceTable = LIST_PRICES
    changed: Callable[[], None] = lambda: None
    failure: Failure | None = None
    gave_up: Failure | None = None

    async def work(self, pending: Pending) -> None:
        """Do what is next for a request that was handed out."""
        try:
            await self._work_on(pending)
        finally:
            self.dispatch.leaders.left(pending.request)
            if pending.ticket is not None:  # whatever went wrong: nothing stays reserved
                self._let_go(pending, pending.ticket, paid=pending.may_cost if pending.sent else 0.0)
            self.changed()

    async def _work_on(self, pending: Pending) -> None:
        lane = self.dispatch.lanes.of(pending.request.model)
        ticket = pending.ticket
        if pending.request.problem is not None:
            self._finish(bad_row(pending.request))
        elif not pending.known and self._was_complete(pending):
            self._finish(answered(pending.request, pending.calls, self.judge(pending.request, pending.calls)))
        elif ticket is None:
            closed = lane.closed or Failure("server_error", "it was not sent")
            self._finish(given_up(pending, for_the_others(closed)))
        elif not pending.priced and not self._reprice(pending):
            self._let_go(pending, ticket, paid=0.0)
            self.dispatch.put_back(pending)
        else:
            await self._send_next(pending, lane, ticket)
            return
        await asyncio.sleep(0)  # many such rows in a row must not hold up what is in flight

    async def _send_next(self, pending: Pending, lane: Lane, ticket: Ticket) -> None:
        prefix = self.dispatch.leaders.heatable(pending.request) if self.warm_up else None
        heater = warm_up_of(pending.request) if prefix is not None else None
        if prefix is None or heater is None:
            await self._attempt(pending, lane, ticket)
        else:
            await self._heat(pending, lane, ticket, prefix, heater)

    def _was_complete(self, pending: Pending) -> bool:
        """Take up the calls that an earlier sitting got answered. Whether nothing is left to ask."""
        pending.known = True
        pending.calls.extend(self.replies_of(pending.request.n))
        following = self.follow(pending.request, pending.calls) if pending.calls else None
        if following is not None:
            pending.ask(following)
        return bool(pending.calls) and following is None

    # ------------------------------------------------------------ reservations

    def _reprice(self, pending: Pending) -> bool:
        """Reserve for the call that follows an earlier sitting's replies, in place of the first one that was reserved
        for; False, and nothing is reserved, when there is not enough for it now."""
        budget = self.dispatch.budget
        budget.settle(pending.may_cost, 0.0)
        may_cost = self.dispatch.price(pending.to_send)
        if budget.take(may_cost):
            pending.may_cost, pending.priced = may_cost, True
            return True
        pending.may_cost = 0.0  # nothing is reserved, and it is priced again when its turn comes
        return False

    def _let_go(self, pending: Pending, ticket: Ticket, *, paid: float | None) -> None:
        """It was given up, or came to nothing, without an outcome."""
        pending.ticket = None
        self.dispatch.lanes.of(pending.request.model).pace.dropped(ticket, self.clock.now())
        self.dispatch.budget.settle(pending.may_cost, paid)

    def _settle(self, pending: Pending, lane: Lane, ticket: Ticket, outcome: Outcome, cost: float | None) -> None:
        """The attempt ended. cost: what the reply cost, None without a known price."""
        pending.ticket = None
        pace, now = lane.pace, self.clock.now()
        if isinstance(outcome, Reply):
            pace.answered(ticket, outcome.message.get("usage"), outcome.headers, now)
            self.dispatch.budget.settle(pending.may_cost, cost)
            return
        if outcome.kind == "rate_limited":
            pace.limited(ticket, outcome, now)
        else:
            pace.failed(ticket, outcome.headers, now, strained=outcome.kind in STRAINS)
        self.dispatch.budget.settle(pending.may_cost, pending.may_cost if outcome.maybe_billed else 0.0)

    # ------------------------------------------------------------ an attempt

    async def _attempt(self, pending: Pending, lane: Lane, ticket: Ticket) -> None:
        request, n, at = pending.to_send, len(pending.attempts) + 1, self.clock.utc()
        with writing():
            self.sink.sent(request, n, at, pending.may_cost, len(pending.calls))
        pending.sent, pending.began = True, self.clock.now()
        try:
            outcome = await self._send(pending, lane, ticket, request)
        except asyncio.CancelledError:
            self.dispatch.put_back(pending)
            raise
        failure = outcome if isinstance(outcome, Failure) else None
        seconds = self.clock.now() - pending.began
        attempt = Attempt(n, at, seconds, outcome.http_status, outcome.request_id, failure, outcome.headers)
        pending.attempts.append(attempt)
        if isinstance(outcome, Reply):
            call = call_of(pending.request, outcome, pending.attempts, pending.asked, self.prices)
            self._settle(pending, lane, ticket, outcome, call.cost_usd)
            self.dispatch.deadline.heard(seconds)
            self.dispatch.leaders.began(pending.request, outcome.message.get("id"))
            await self._answered(pending, attempt, call)
            lane.answered()
        else:
            self._settle(pending, lane, ticket, outcome, 0.0)
            if outcome.kind == "rate_limited":
                pending.refused(lane.pace.replies, at_start=ticket.replies)
            self._failed(pending, lane, attempt, outcome)

    async def _send(self, pending: Pending, lane: Lane, ticket: Ticket, request: Request) -> Outcome:
        leaders = self.dispatch.leaders
        if not leaders.leads(pending.request):
            return await self.send(leaders.asking(request))

        def began(id: str | None, headers: Mapping[str, str] | None = None) -> None:
            lane.pace.began(ticket, headers or {}, self.clock.now())
            leaders.began(pending.request, id)

        return await self.send(leaders.asking(request), began=began)

    async def _answered(self, pending: Pending, attempt: Attempt, call: Call) -> None:
        """Write a reply down and ask what follows. A reply that no answered result holds gets a line of its own."""
        request, number = pending.request, len(pending.calls)
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
        ended = AttemptEnded(request, attempt, call=number, usage=call.usage, cost_usd=call.cost_usd)
        if result is not None:
            with writing():
                self.sink.done(result)
        await self.sink.settled()
        if result is not None:
            self._tell(result, ended)
        elif following is not None:
            self.observe(ended)
            pending.ask(following)
            self.dispatch.put_back(pending)

    def _finish(self, result: Result) -> None:
        with writing():
            self.sink.done(result)
        self._tell(result)

    def _tell(self, result: Result, ended: AttemptEnded | None = None) -> None:
        if ended is not None:
            self.observe(ended)
        self.observe(RequestDone(result))

    # ------------------------------------------------------------ failures

    def _failed(self, pending: Pending, lane: Lane, attempt: Attempt, failure: Failure) -> None:
        request, now = pending.request, self.clock.now()
        policy = request.retry or self.retry
        with writing():
            self.sink.attempt_failed(request, attempt, len(pending.calls))
        self._learn(lane, failure)
        too_late = self._beyond_deadline(failure, now)
        if too_late and failure.retry_after is not None:
            self._wait_too_long(lane, failure.retry_after, now)
        wait = failure.retry_after if too_late else self._wait(failure, pending.tried, policy)
        again = wait is not None and not self.dispatch.ended
        self.observe(AttemptEnded(request, attempt, waiting=wait if again else None, call=len(pending.calls)))
        if wait is not None or failure.ends_run:
            self.dispatch.put_back(pending, due=now + (wait or 0.0))
        else:
            self._give_up(lane, failure, policy)
            self._finish(given_up(pending, failure))

    def _wait(self, failure: Failure, attempt: int, policy: RetryPolicy) -> float | None:
        """A 429 that says how long waits exactly so long: the pace sees to it that not everybody comes back at once.

        Where that did not help twice, while nothing else got through either, the request comes back more and more
        rarely: others find out when the storm is over.
        """
        wait = next_wait(failure, attempt=attempt, policy=policy, rng=self.rng)
        told = failure.kind == "rate_limited" and failure.retry_after is not None and attempt <= TRUSTED
        return failure.retry_after if told and wait is not None else wait

    def _beyond_deadline(self, failure: Failure, now: float) -> bool:
        """Whether the server asks for more time than there is: then it is the deadline that ends the run."""
        asked = failure.retry_after
        return asked is not None and may_retry(failure) and self.dispatch.deadline.comes_before(now + asked)

    def _wait_too_long(self, lane: Lane, seconds: float, now: float) -> None:
        """Nothing more is sent to the model; the run ends at once where no other can go on, else when they are done."""
        lane.pace.pause(now + seconds)
        if not any(self._goes_on(other, now) for other in self.dispatch.lanes.by_model.values() if other is not lane):
            self.dispatch.end_at(self.dispatch.deadline.limit(waits_for=seconds))

    def _goes_on(self, lane: Lane, now: float) -> bool:
        """Whether it has something to send, or in flight, and may do so before the deadline."""
        paused = self.dispatch.deadline.comes_before(max(now, lane.pace.paused_until))
        return lane.closed is None and not paused and bool(lane.count or lane.pace.in_flight)

    def _learn(self, lane: Lane, failure: Failure) -> None:
        """What a failure says about more than its request."""
        if failure.scope == "request":
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

    # ------------------------------------------------------------ warming up

    async def _heat(self, pending: Pending, lane: Lane, ticket: Ticket, prefix: str, heater: Request) -> None:
        """Write a prefix with a request of its own, then send the one that was to lead like any other.

        Where that fails, the one that was to lead does so. What it costs is booked as overhead of the run.
        """
        leaders = self.dispatch.leaders
        with writing():
            self.sink.overhead_sent(prefix, heater, self.clock.utc(), pending.may_cost)
        try:
            outcome = await self.send(heater)
        except asyncio.CancelledError:
            pending.ticket = None
            self._let_go(pending, ticket, paid=pending.may_cost)
            self.dispatch.put_back(pending)
            raise
        reply = outcome if isinstance(outcome, Reply) else None
        call = call_of(heater, reply, (), None, self.prices) if reply is not None else None
        failure = outcome if isinstance(outcome, Failure) else None
        with writing():
            self.sink.overhead(prefix, heater, call, failure)
        self._settle(pending, lane, ticket, outcome, call.cost_usd if call else 0.0)
        if failure is None:
            leaders.began(pending.request)
        else:
            leaders.unheated.add(prefix)
            if failure.ends_lane or failure.ends_run:
                self._learn(lane, failure)
        self.dispatch.put_back(pending)


def given_up(pending: Pending, failure: Failure) -> Result:
    """The result of a request whose call under way gets no answer any more."""
    return failed(pending.request, failure, pending.attempts, calls=pending.calls, asked=pending.asked)
