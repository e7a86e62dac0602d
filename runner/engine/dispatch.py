"""Which request goes next, and when: retries before new ones, each model at its pace, leaders first, inside the budget.

A request that waits holds nothing: it lies in its lane's queue, in the heap of retries, or with the leaders. Reads
ahead no further than `LOOK_AHEAD` requests of a model, and so many bytes: a model that is paused stops no other, and
memory does not grow with the rows. Never sends, never writes, never waits: says when to look again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain, count

from runner.engine.budget import Budget, out_of_money
from runner.engine.clock import Clock
from runner.engine.deadline import Deadline
from runner.engine.ended import Limit
from runner.engine.lanes import Lane, Lanes
from runner.engine.leaders import Leaders
from runner.engine.pace import Needs
from runner.engine.pending import Pending
from runner.records import Request

LOOK_AHEAD = 1000
LOOK_AHEAD_BYTES = 64_000_000
WAITING_PER_SLOT = 4
READ_AT_ONCE = 16
"""Requests that are read in one go without finding one that may start; rendering them takes time from replies."""
READ_AFTER = 0.1
"""Seconds that nothing may start for before others are looked for further on."""
SOON = 0.001
MONEY_SECONDS = 0.05
"""How often a job looks whether another one has given back money of a cap that they share."""


@dataclass(eq=False)
class Dispatch:
    """Hands out requests until there are none or `end` was called.

    most: in flight at once. price: US dollars that an attempt of a request may cost at most.
    due: when to look again if nothing else happens; set by `pick`.
    """

    requests: Iterator[Request]
    lanes: Lanes
    clock: Clock
    most: int
    leaders: Leaders
    budget: Budget
    deadline: Deadline
    price: Callable[[Request], float | None] = lambda request: None
    ended: bool = False
    exhausted: bool = False
    limit: Limit | None = None
    in_flight: int = 0
    due: float = math.inf
    waiting: list[tuple[float, int, Pending]] = field(default_factory=list)
    crowded: Lane | None = None
    bytes: int = 0
    order: Iterator[int] = field(default_factory=count)

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
        return None if self.due < now + READ_AFTER else self._read(now)

    def put_back(self, pending: Pending, *, due: float = 0.0) -> None:
        """Let a request wait until `due`; once ended, it stays there and is counted."""
        self.lanes.of(pending.request.model).count += 1
        self.bytes += len(pending.request.body)
        heappush(self.waiting, (due, next(self.order), pending))

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
        return self.exhausted and not self.count

    @property
    def complete(self) -> bool:
        """Whether every request was handed out and none waits."""
        return self.idle

    @property
    def abandoned(self) -> int:
        """How many were sent at least once and are left without a result."""
        queued = chain.from_iterable(chain(lane.again, lane.fresh) for lane in self.lanes.by_model.values())
        heap = (pending for _, _, pending in self.waiting)
        return sum(pending.sent for pending in chain(queued, heap, self.leaders.pendings()))

    @property
    def unsent(self) -> int:
        """How many were taken from the requests and never sent."""
        return self.count - self.abandoned

    # ------------------------------------------------------------ who may go

    def _requeue(self, now: float) -> None:
        """What is due, or was waiting for a leader, goes before what is new."""
        while self.waiting and self.waiting[0][0] <= now:
            pending = heappop(self.waiting)[2]
            self.lanes.of(pending.request.model).again.append(pending)
        if self.waiting:
            self.due = min(self.due, self.waiting[0][0])
        while (released := self.leaders.next_ready()) is not None:
            self.lanes.of(released.request.model).again.append(released)

    def _from(self, lane: Lane, now: float) -> Pending | None:
        """The first of a lane that may start now."""
        while queue := lane.queue:
            pending = queue[0]
            request = pending.request
            if request.problem is None and lane.closed is None:
                needs = self._starting(lane, request, now)
                if needs is None:
                    return None
                if request.prefixes and not self.leaders.may_go(pending):
                    queue.popleft()
                    continue
                if not self._affords(pending, now):
                    return None
                self._reserve(lane, pending, needs, now)
            queue.popleft()
            lane.count -= 1
            self.bytes -= len(request.body)
            return pending
        return None

    def _starting(self, lane: Lane, request: Request, now: float) -> Needs | None:
        """What it needs of its model's limits; None when they do not let it start now."""
        warm = self.leaders.warm_bytes(request, now) if request.prefixes else 0
        needs = lane.pace.needs(request, warm)
        wait = lane.pace.wait(needs, now, self)
        if wait > 0:
            self.due = min(self.due, now + wait)
        return needs if wait <= 0 else None

    def _reserve(self, lane: Lane, pending: Pending, needs: Needs, now: float) -> None:
        """needs: of the request's first call; one that follows has a body of its own."""
        request = pending.to_send
        if request is not pending.request:
            warm = self.leaders.warm_bytes(request, now) if request.prefixes else 0
            needs = lane.pace.needs(request, warm)
        pending.ticket = lane.pace.take(request, needs, now, self)
        self.lanes.served(request.model)

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
            if self.ended or self.exhausted or self._crowded():
                return None
            request = next(self.requests, None)
            if request is None:
                self.exhausted = True
                return None
            pending = self._add(Pending(request), now)
            if pending is not None:
                return pending
        self.due = min(self.due, now + SOON)
        return None

    def _add(self, pending: Pending, now: float) -> Pending | None:
        lane = self.lanes.of(pending.request.model)
        blocked = bool(lane.again or lane.fresh)
        lane.fresh.append(pending)
        lane.count += 1
        self.bytes += len(pending.request.body)
        if lane.count >= self._most_waiting:
            self.crowded = lane
        return None if blocked else self._from(lane, now)

    def _crowded(self) -> bool:
        """Whether the last lane that was read for has as many waiting as it may, or all together are too large."""
        return self.bytes >= LOOK_AHEAD_BYTES or (self.crowded is not None and self.crowded.count >= self._most_waiting)

    @property
    def _most_waiting(self) -> int:
        return min(LOOK_AHEAD, WAITING_PER_SLOT * self.most)
