"""What an attempt holds of its model's limits and of the budget, given back once it ended. Sends and writes nothing.

Everything that the dispatch reserved for a request is settled here, exactly once.
"""

from __future__ import annotations

from runner.engine.dispatch import Dispatch
from runner.engine.lanes import Lane
from runner.engine.pace import Ticket
from runner.engine.pending import Pending
from runner.records import Outcome, Reply

STRAINS = frozenset({"overloaded", "server_error", "timeout", "connection", "truncated_stream"})
"""Kinds that say the server (or the way to it) has trouble, whoever asks."""


def settle(
    dispatch: Dispatch, pending: Pending, lane: Lane, ticket: Ticket, outcome: Outcome, cost: float | None
) -> None:
    """The attempt ended. cost: US dollars that the reply cost, None without a known price."""
    pending.ticket = None
    pace, now = lane.pace, dispatch.clock.now()
    if isinstance(outcome, Reply):
        pace.answered(ticket, outcome.message.get("usage"), outcome.headers, now)
        dispatch.budget.settle(pending.may_cost, cost)
        return
    if outcome.kind == "rate_limited":
        pace.limited(ticket, outcome, now)
    else:
        pace.failed(ticket, outcome.headers, now, strained=outcome.kind in STRAINS)
    dispatch.budget.settle(pending.may_cost, pending.may_cost if outcome.maybe_billed else 0.0)


def let_go(dispatch: Dispatch, pending: Pending, *, paid: float | None) -> None:
    """It was given up, or came to nothing, without an outcome. Nothing happens where nothing is reserved any more.

    paid: US dollars that count as spent; what it may cost, once it was sent.
    """
    ticket, pending.ticket = pending.ticket, None
    if ticket is not None:
        dispatch.lanes.of(pending.request.model).pace.dropped(ticket, dispatch.clock.now())
        dispatch.budget.settle(pending.may_cost, paid)
