"""Which request goes next, and when: retries that are due before new ones, each model at its lane's pace.

A request that waits holds no worker that could send another one: it lies in a heap, and only a worker with nothing
else to do sleeps until the first of them is due. So no worker ever has to wake another: whoever puts a request into
the heap comes back for the next one itself. Never sends, never writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import chain, count

from runner.engine.clock import Clock
from runner.engine.lanes import Lanes
from runner.engine.leaders import Leaders
from runner.records import Attempt, Call, NextCall, Request

WAITING_PER_WORKER = 4
"""How many requests may wait for each worker before no new ones are taken: what bounds the memory of a storm."""


@dataclass
class Pending:
    """A request on its way. sent: it was tried, or is being tried; began: when, on the engine's clock.

    calls: those that were answered; asked: the call under way, None for the first; attempts: those of that call.
    known: whether it was looked up which calls an earlier sitting made.
    paced_at: which of its lane's paces told it when to start, None without such a start.
    """

    request: Request
    attempts: list[Attempt] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    asked: NextCall | None = None
    known: bool = False
    sent: bool = False
    began: float = 0.0
    paced_at: float | None = None

    @property
    def to_send(self) -> Request:
        """The request with the body of the call under way."""
        if self.asked is None:
            return self.request
        return replace(self.request, body=self.asked.body, max_tokens=self.asked.max_tokens)

    def ask(self, call: NextCall) -> None:
        """Go on with another call, whose attempts count from 1 again."""
        self.asked, self.attempts = call, []


@dataclass
class Dispatch:
    """Hands requests to workers until there are none or `end` was called."""

    requests: Iterator[Request]
    lanes: Lanes
    clock: Clock
    workers: int
    leaders: Leaders
    ended: bool = False
    exhausted: bool = False
    waiting: list[tuple[float, int, Pending]] = field(default_factory=list)
    held: int = 0
    sleepers: set[asyncio.Task[None]] = field(default_factory=set)
    order: Iterator[int] = field(default_factory=count)

    async def next(self) -> Pending | None:
        """The next request to be sent now, or None when this worker is done. Raises what the requests raise."""
        while not self.ended:
            pending = self._due() or self.leaders.next_ready() or self._fresh()
            if pending is not None and self._may_go(pending) and self._may_start(pending):
                return pending
            if pending is None:
                if not self.waiting and not self.leaders.held:
                    return None
                await self._sleep_until_due()
        return None

    def put_back(self, pending: Pending, *, due: float = 0.0) -> None:
        """Let a request wait until `due`; once ended, it stays there and is counted."""
        heappush(self.waiting, (due, next(self.order), pending))

    def end(self) -> None:
        """Hand out nothing more."""
        self.ended = True
        self.leaders.wake()
        for sleeper in self.sleepers:
            sleeper.cancel()

    @property
    def complete(self) -> bool:
        """Whether every request was handed out and none waits."""
        return self.exhausted and not self.waiting and not self.leaders.count

    @property
    def abandoned(self) -> int:
        """How many were sent at least once and are left without a result."""
        waiting = (pending for _, _, pending in self.waiting)
        return sum(pending.sent for pending in chain(waiting, self.leaders.pendings()))

    @property
    def unsent(self) -> int:
        """How many were taken from the requests and never sent."""
        return len(self.waiting) + self.leaders.count - self.abandoned

    def _due(self) -> Pending | None:
        if self.waiting and self.waiting[0][0] <= self.clock.now():
            return heappop(self.waiting)[2]
        return None

    def _fresh(self) -> Pending | None:
        if self.exhausted or len(self.waiting) + self.held + self.leaders.count >= WAITING_PER_WORKER * self.workers:
            return None
        request = next(self.requests, None)
        self.exhausted = request is None
        return None if request is None else Pending(request)

    def _may_go(self, pending: Pending) -> bool:
        """Whether no leader is on its way with a prefix of this one; what will not be sent waits for nobody."""
        request = pending.request
        if not request.prefixes or request.problem or self.lanes.of(request.model).closed:
            return True
        return self.leaders.may_go(pending)

    def _may_start(self, pending: Pending) -> bool:
        """Whether it can go now; otherwise it waits for the start its lane gives it."""
        lane, now = self.lanes.of(pending.request.model), self.clock.now()
        if pending.request.problem or lane.closed:  # nothing will be sent
            return True
        if pending.paced_at == lane.slowed_at and now >= lane.paused_until:
            pending.paced_at = None
            return True
        start = lane.start_at(now)
        if start <= now:
            return True
        pending.paced_at = lane.slowed_at
        self.put_back(pending, due=start)
        return False

    async def _sleep_until_due(self) -> None:
        """Sleep until the first that waits is due, or a leader lets its followers go."""
        waker = self.leaders.waker()
        try:
            if self.waiting:
                await self._sleep_for_first(waker)
            else:
                await waker
        finally:
            waker.cancel()
            self.leaders.wakers.discard(waker)

    async def _sleep_for_first(self, waker: asyncio.Future[None]) -> None:
        first = heappop(self.waiting)
        self.held += 1
        sleeper = asyncio.ensure_future(self.clock.sleep(max(0.0, first[0] - self.clock.now())))
        self.sleepers.add(sleeper)
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            self.sleepers.discard(sleeper)
            self.held -= 1
            heappush(self.waiting, first)
