"""Which request goes next, and when: retries before new ones, each model at its pace, leaders first, inside the budget.

A request that waits holds nothing: it lies in its lane, or with the leaders. A model that is paused stops no other; one
that is left is read past, and nothing is kept of its requests. Never sends, never writes, never waits: says when to
look again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, count

from runner.engine.ahead import Ahead
from runner.engine.budget import Budget, out_of_money
from runner.engine.clock import Clock
from runner.engine.deadline import Deadline, spoken
from runner.engine.ended import Limit
from runner.engine.lanes import Lane, Lanes
from runner.engine.leaders import Leaders
from runner.engine.pace import Needs
from runner.engine.pending import Pending
from runner.records import Failure, Request

READ_AT_ONCE = 16
"""Requests that are read in one go without finding one that may start; rendering them takes time from replies."""
READ_AFTER = 0.1
"""Seconds that nothing may start for before others are looked for further on."""
SOON = 0.001
MONEY_SECONDS = 0.05
"""How often a job looks whether another one has given back money of a cap that they share."""
OWN_PAUSES = 60.0
"""A pace that pauses for longer does so because the server asks for it."""


@dataclass(eq=False)
class Dispatch:
    """Hands out requests until there are none or `end` was called.

    most: in flight at once. price: US dollars that an attempt of a request may cost at most. max_wait: seconds that a
    model may be paused for. models: those that the requests ask; None: not known. take_up: told of each request
    before anything is reserved for it, so that it goes on behind what an earlier sitting got.
    due: when to look again if nothing else happens; set by `pick`. gave_up: why a model was left.
    passed, passed_sent: requests of left models that never were, or were, sent.
    """

    requests: Iterator[Request]
    lanes: Lanes
    clock: Clock
    most: int
    leaders: Leaders
    budget: Budget
    deadline: Deadline
    price: Callable[[Request], float | None] = lambda request: None
    max_wait: float = math.inf
    models: Collection[str] | None = None
    take_up: Callable[[Pending], None] = lambda pending: None
    ended: bool = False
    limit: Limit | None = None
    gave_up: Failure | None = None
    passed: int = 0
    passed_sent: int = 0
    in_flight: int = 0
    due: float = math.inf
    ahead: Ahead = field(init=False)
    order: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.ahead = Ahead(self.requests, self.lanes, self.most, self.models)

    def pick(self) -> Pending | None:
        """The next request to be sent now, or to be given up unsent; None: not before `due`. Raises what they raise."""
        self.due = math.inf
        if self.ended or self.in_flight >= self.most:
            return None
        now = self.clock.now()
        if self.deadline.comes_before(now) and not self.idle:
            self.end_at(self.deadline.limit())
            return None
        self._requeue(now)
        for lane in self.lanes.in_turn():
            if lane.again or lane.fresh:
                pending = self._from(lane, now)
                if pending is not None:
                    return pending
        if self.leaders.ready:  # somebody led who was passed over
            self.due = now
        return None if self.due < now + READ_AFTER else self._read(now)

    def put_back(self, pending: Pending, *, due: float = 0.0) -> None:
        """Let a request wait until `due`; once ended, it stays there and is counted."""
        self.ahead.counted(pending).wait(pending, due, next(self.order))

    def leave(self, lane: Lane, why: Failure | Limit) -> None:
        """Send nothing more to a model in this sitting; what it has not answered is for another one."""
        if lane.closed is not None:
            return
        if isinstance(why, Limit):
            self.limit = self.limit or why
        else:
            self.gave_up = self.gave_up or self._naming(lane, why)
        lane.leave()
        if self.models and self.lanes.all_left(self.models):
            self.end()

    def _naming(self, lane: Lane, why: Failure) -> Failure:
        """Which model it is about, where there are several."""
        several = self.models is not None and len(self.models) > 1
        return replace(why, message=f"{lane.pace.model}: {why.message}") if several else why

    def end(self) -> None:
        """Hand out nothing more."""
        self.ended = True

    def end_at(self, limit: Limit) -> None:
        """A limit that the user set is reached."""
        self.limit = self.limit or limit
        self.end()

    # ------------------------------------------------------------ what is left

    @property
    def count(self) -> int:
        """How many were taken from the requests and wait."""
        return sum(lane.count for lane in self.lanes.by_model.values())

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing more can be read."""
        return self.ahead.exhausted and not self.count

    @property
    def complete(self) -> bool:
        """Whether every request was handed out and none waits."""
        return self.idle and not (self.passed or self.passed_sent)

    @property
    def abandoned(self) -> int:
        """How many were sent at least once and are left without a result."""
        lanes = (lane.pendings() for lane in self.lanes.by_model.values())
        return self.passed_sent + sum(pending.sent for pending in chain(self.leaders.pendings(), *lanes))

    @property
    def unsent(self) -> int:
        """How many were taken from the requests and never sent."""
        return self.count + self.passed + self.passed_sent - self.abandoned

    # ------------------------------------------------------------ who may go

    def _requeue(self, now: float) -> None:
        """What is due, or was waiting for a leader, goes before what is new."""
        for lane in self.lanes.by_model.values():
            if lane.later:
                self.due = min(self.due, lane.requeue(now))
        while (released := self.leaders.next_ready()) is not None:
            self.lanes.of(released.request.model).again.append(released)

    def _from(self, lane: Lane, now: float) -> Pending | None:
        """The first of a lane that may start now, or that needs no sending."""
        while queue := lane.queue:
            pending = queue[0]
            if not pending.known:
                self.take_up(pending)
            if not pending.needs_sending or (lane.closed and not lane.left):
                return self._taken(lane, pending)
            if lane.left:
                self._pass_over(self._taken(lane, pending))
                continue
            needs = self._starting(lane, pending, now)
            if needs is None:
                if lane.left:
                    continue
                return None
            if pending.request.prefixes and not self.leaders.may_go(pending):
                queue.popleft()
                continue
            if not self._affords(pending, now):
                return None
            pending.ticket = lane.pace.take(pending.to_send, needs, now, self)
            self.lanes.served(pending.request.model)
            return self._taken(lane, pending)
        return None

    def _taken(self, lane: Lane, pending: Pending) -> Pending:
        lane.queue.popleft()
        self.ahead.taken(lane, pending)
        return pending

    def _pass_over(self, pending: Pending) -> None:
        """It stays without a result, and is not kept."""
        self.leaders.left(pending.request)
        if pending.sent:
            self.passed_sent += 1
        else:
            self.passed += 1

    def _starting(self, lane: Lane, pending: Pending, now: float) -> Needs | None:
        """What it needs of its model's limits; None when they do not let it start now, or too many wait for a retry."""
        if not lane.again and len(lane.later) >= self.ahead.most_later:
            return None
        request = pending.to_send
        warm = self.leaders.warm_bytes(request, now) if request.prefixes else 0
        needs = lane.pace.needs(request, warm)
        wait = lane.pace.wait(needs, now, self)
        if wait <= 0:
            return needs
        self._leave_if_paused_too_long(lane, now)
        if not lane.left:
            self.due = min(self.due, now + wait)
        return None

    def _leave_if_paused_too_long(self, lane: Lane, now: float) -> None:
        """Also where it was another job that was told to wait."""
        until = lane.pace.paused_until
        if until > now and self.deadline.comes_before(until):
            self.leave(lane, self.deadline.limit(waits_for=until - now))
        elif until - now > max(self.max_wait, OWN_PAUSES):
            what = f"the API asks to wait {spoken(until - now)} longer"
            self.leave(lane, Failure("rate_limited", what, 429, retry_after=until - now))

    def _affords(self, pending: Pending, now: float) -> bool:
        """Reserve its money; where it can never be had, the run ends."""
        if not pending.priced:
            pending.may_cost, pending.priced = self.price(pending.to_send), True
        if self.budget.take(pending.may_cost):
            return True
        if not self.in_flight:
            if not self.budget.could_take(pending.may_cost):
                self.end_at(out_of_money(self.budget, pending.may_cost))
            self.due = min(self.due, now + MONEY_SECONDS)
        return False

    # ------------------------------------------------------------ reading

    def _read(self, now: float) -> Pending | None:
        """Read on until one may start; the others are put into their lanes' queues."""
        for _ in range(READ_AT_ONCE):
            if self.ended or self.ahead.exhausted or self.ahead.enough:
                return None
            lane = self.ahead.read()
            if lane is None:
                return None
            first = not lane.again and len(lane.fresh) == 1
            pending = self._from(lane, now) if first else None
            if pending is not None:
                return pending
        self.due = min(self.due, now + SOON)
        return None
