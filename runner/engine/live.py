"""The live engine: sends every request of an iterator, and writes down how each one ended.

Puts the parts together: `dispatch` says who goes next and when, `crew` has workers for it, `attempts` sends and writes
down, `failing` knows what a failure leads to, `pace` the account's limits, `leaders` the prompt cache. Who ends the run
early, ends it politely: what is in flight arrives and is kept. Never a task a row, so memory does not grow with the
rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random

from runner.engine.attempts import Attempts, finish
from runner.engine.budget import Budget
from runner.engine.clock import Clock
from runner.engine.crew import Crew
from runner.engine.deadline import Deadline
from runner.engine.dispatch import Dispatch
from runner.engine.ended import Ended, Limit
from runner.engine.failing import Failing
from runner.engine.heating import Heating
from runner.engine.lanes import Lanes
from runner.engine.leaders import Leaders
from runner.engine.paces import Paces
from runner.engine.pending import Pending
from runner.engine.sink import Sink
from runner.engine.stop import Stop
from runner.engine.view import View
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.worst_case import worst_case_usd
from runner.prompts.judge import judge as judge_calls
from runner.records import Call, Event, Judgement, NextCall, Outcome, Request, RetryPolicy, SendingBegan
from runner.timer import Timer

__all__ = ["Ended", "Limit", "Sink", "Stop", "run_live"]


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
    concurrency: int | None,
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
    paces: Paces | None = None,
    budget: Budget | None = None,
    deadline: float | None = None,
    grace: float = 30.0,
    warm_up: bool = False,
    models: Collection[str] | None = None,
) -> Ended:
    """Send every request and give each its result, as fast as the account's limits allow.

    concurrency: the most in flight at once; None: as many as turn out to be right, up to `paces.most`.
    follow: the call to make after these, None when there is none; judge: what they amount to then. Both are pure.
    replies_of: the calls of request n that an earlier sitting got an answer to; it goes on behind them.
    send: one attempt; for a request that leads a prefix also `began=`, a `records.Began`.
    prices: what answers are billed by. diagnose: have the API say why a cached prefix was missed.
    paces: of all jobs of the command; None: its own. budget: what may be spent; None: without a cap.
    deadline: seconds from now until no reply is waited for any more, but for `grace` seconds; None: none.
    warm_up: write each cold prefix with a request of its own before those that share it.
    models: those that the requests ask, so that no other is looked for; None: not known.
    Raises OutputError when the sink cannot write. That stops the sending, as does what the iterator raises; both come
    out once everything in flight has been handed to the sink, and cost nothing that was received.
    """
    paces = paces or Paces(slow_start=concurrency is None)
    ends = Deadline() if deadline is None else Deadline(clock.now() + deadline, deadline)

    def price(request: Request) -> float | None:
        return worst_case_usd(request.model, request.most_tokens, request.max_tokens, prices, request.terms)

    def take_up(pending: Pending) -> None:
        pending.take_up(replies_of, follow)

    dispatch = Dispatch(
        requests, Lanes(paces), clock, concurrency or paces.most, Leaders(clock, diagnose), budget or Budget(None),
        ends, price, max_wait=retry.max_wait, models=models, take_up=take_up,
    )  # fmt: skip
    failing = Failing(dispatch, sink, retry, clock, rng, observe, partial(finish, sink, observe))
    heating = Heating(dispatch, send, sink, failing, prices) if warm_up else None
    attempts = Attempts(dispatch, send, sink, failing, observe, follow, judge, heating, prices)
    crew = Crew(dispatch, attempts.work)
    dispatch.leaders.wake = crew.wake
    attempts.changed = lambda: paces.changed(crew.wake)
    observe(SendingBegan(View(dispatch)))
    with paces.telling(crew.wake), ending(crew, stop, ends, grace, clock):
        await crew.run()
    paces.leave(dispatch)
    return how_it_ended(dispatch, failing, stop)


@contextmanager
def ending(crew: Crew, stop: Stop, deadline: Deadline, grace: float, clock: Clock) -> Iterator[None]:
    """While inside, a stop ends the crew's work, and so does what is still in flight long after the deadline."""

    def stopped() -> None:
        crew.end()
        if stop.at_once:
            crew.cancel_soon()

    def late() -> None:
        crew.dispatch.end_at(deadline.limit())
        crew.end()
        crew.cancel_soon()

    timer = None
    if deadline.at is not None:
        timer = Timer(max(0.0, deadline.at - clock.now()) + grace, late)
    try:
        with stop.telling(stopped):
            yield
    finally:
        if timer is not None:
            timer.cancel()


def how_it_ended(dispatch: Dispatch, failing: Failing, stop: Stop) -> Ended:
    return Ended(
        stopped=None if dispatch.complete else stop.reason,
        failure=failing.failure,
        lanes=dispatch.lanes.closed(),
        unsent=dispatch.unsent,
        abandoned=dispatch.abandoned,
        gave_up=dispatch.gave_up,
        limit=None if dispatch.complete else dispatch.limit,
        paces=View(dispatch).paces(),
    )
