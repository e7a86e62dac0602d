"""One attempt: sent, written down, settled, and followed by the next call, by the result, or by what its failure says.

What is received is written before anyone else hears of it. Decides nothing about who goes when (`dispatch`), nor about
what a failure leads to (`failing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from runner.engine.dispatch import Dispatch
from runner.engine.failing import Failing, given_up
from runner.engine.heating import Heating
from runner.engine.lanes import Lane, for_the_others
from runner.engine.pace import Ticket
from runner.engine.pending import Pending
from runner.engine.reservations import let_go, settle
from runner.engine.results import answered, bad_row, call_of
from runner.engine.sink import Sink, writing
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
)


@dataclass(eq=False)
class Attempts:
    """changed: told when an attempt ended, after its reservations were settled.

    heating: writes cold prefixes with a request of their own; None: whoever leads writes them.
    """

    dispatch: Dispatch
    send: Callable[..., Awaitable[Outcome]]
    sink: Sink
    failing: Failing
    observe: Callable[[Event], None]
    follow: Callable[[Request, Sequence[Call]], NextCall | None]
    judge: Callable[[Request, Sequence[Call]], Judgement]
    heating: Heating | None = None
    prices: PriceTable = LIST_PRICES
    changed: Callable[[], None] = lambda: None

    async def work(self, pending: Pending) -> None:
        """Do what is next for a request that was handed out."""
        try:
            await self._work_on(pending)
        finally:
            self.dispatch.leaders.left(pending.request)
            if pending.ticket is not None:  # whatever went wrong before it was sent: nothing stays reserved
                let_go(self.dispatch, pending, paid=0.0)
            self.changed()

    async def _work_on(self, pending: Pending) -> None:
        lane, ticket = self.dispatch.lanes.of(pending.request.model), pending.ticket
        if ticket is not None:
            await self._send_next(pending, lane, ticket)
            return
        if pending.request.problem is not None:
            finish(self.sink, self.observe, bad_row(pending.request))
        elif pending.complete:
            result = answered(pending.request, pending.calls, self.judge(pending.request, pending.calls))
            finish(self.sink, self.observe, result)
        else:
            closed = lane.closed or Failure("server_error", "it was not sent")
            finish(self.sink, self.observe, given_up(pending, for_the_others(closed)))
        await asyncio.sleep(0)  # many such rows in a row must not hold up what is in flight

    async def _send_next(self, pending: Pending, lane: Lane, ticket: Ticket) -> None:
        warm_up = self.heating.before(pending) if self.heating is not None else None
        if self.heating is None or warm_up is None:
            await self._attempt(pending, lane, ticket)
        else:
            await self.heating.heat(pending, lane, ticket, *warm_up)

    async def _attempt(self, pending: Pending, lane: Lane, ticket: Ticket) -> None:
        clock, request, n = self.dispatch.clock, pending.to_send, len(pending.attempts) + 1
        at = clock.utc()
        with writing():
            self.sink.sent(request, n, at, pending.may_cost, len(pending.calls))
        pending.sent, pending.began = True, clock.now()
        try:
            outcome = await self._send(pending, lane, ticket, request)
        except BaseException:
            let_go(self.dispatch, pending, paid=pending.may_cost)
            self.dispatch.put_back(pending)
            raise
        failure = outcome if isinstance(outcome, Failure) else None
        seconds = clock.now() - pending.began
        attempt = Attempt(n, at, seconds, outcome.http_status, outcome.request_id, failure, outcome.headers)
        pending.attempts.append(attempt)
        if isinstance(outcome, Reply):
            call = call_of(pending.request, outcome, pending.attempts, pending.asked, self.prices)
            settle(self.dispatch, pending, lane, ticket, outcome, call.cost_usd)
            self.dispatch.deadline.heard(seconds)
            self.dispatch.leaders.began(pending.request, outcome.message.get("id"))
            lane.answered()
            await self._answered(pending, attempt, call)
        else:
            settle(self.dispatch, pending, lane, ticket, outcome, 0.0)
            self.failing.failed(pending, lane, attempt, outcome)

    async def _send(self, pending: Pending, lane: Lane, ticket: Ticket, request: Request) -> Outcome:
        leaders = self.dispatch.leaders
        if not leaders.leads(pending.request):
            return await self.send(leaders.asking(request))

        def began(id: str | None, headers: Mapping[str, str] | None = None) -> None:
            lane.pace.began(ticket, headers or {}, self.dispatch.clock.now())
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
        try:
            await self.sink.settled()
        finally:
            if following is not None:  # also when it is given up here: its request is not done
                pending.ask(following)
                self.dispatch.put_back(pending)
        self.observe(ended)
        if result is not None:
            self.observe(RequestDone(result))


def finish(sink: Sink, observe: Callable[[Event], None], result: Result) -> None:
    """Write a result down, then tell of it."""
    with writing():
        sink.done(result)
    observe(RequestDone(result))
