"""A warm-up on its way: sent, written down as overhead, settled; then the one that was to lead goes like any other.

Where it fails, the one that was to lead writes the prefix. Knows nothing of results or retries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runner.engine.dispatch import Dispatch
from runner.engine.failing import Failing
from runner.engine.lanes import Lane
from runner.engine.pace import Ticket
from runner.engine.pending import Pending
from runner.engine.reservations import let_go, settle
from runner.engine.results import call_of
from runner.engine.sink import Sink, writing
from runner.engine.warm_up import warm_up_of
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.records import Failure, Outcome, Reply, Request


@dataclass(eq=False)
class Heating:
    """failing: what is to be done about a failure."""

    dispatch: Dispatch
    send: Callable[..., Awaitable[Outcome]]
    sink: Sink
    failing: Failing
    prices: PriceTable = LIST_PRICES

    def before(self, pending: Pending) -> tuple[str, Request] | None:
        """The prefix that is to be written before a request is sent, and the warm-up for it; None for none."""
        prefix = self.dispatch.leaders.heatable(pending.request)
        heater = warm_up_of(pending.request) if prefix is not None else None
        return None if prefix is None or heater is None else (prefix, heater)

    async def heat(self, pending: Pending, lane: Lane, ticket: Ticket, prefix: str, heater: Request) -> None:
        """It is paid from what was reserved for the request, which reserves anew; its cost is overhead of the run."""
        with writing():
            self.sink.overhead_sent(prefix, heater, self.dispatch.clock.utc(), pending.may_cost)
        try:
            outcome = await self.send(heater)
        except BaseException:
            let_go(self.dispatch, pending, paid=pending.may_cost)
            self.dispatch.put_back(pending)
            raise
        reply = outcome if isinstance(outcome, Reply) else None
        call = call_of(heater, reply, (), None, self.prices) if reply is not None else None
        failure = outcome if isinstance(outcome, Failure) else None
        with writing():
            self.sink.overhead(prefix, heater, call, failure)
        settle(self.dispatch, pending, lane, ticket, outcome, call.cost_usd if call else 0.0)
        if failure is None:
            self.dispatch.leaders.began(pending.request)
            self.dispatch.put_back(pending)
        else:
            self.dispatch.leaders.unheated.add(prefix)
            wait = self.failing.warm_up_failed(lane, failure)
            self.dispatch.put_back(pending, due=self.dispatch.clock.now() + wait)
