"""The workers that send: started as they are needed, never one a row, never more than may be in flight.

A worker that is done takes the next request itself. Of those that find nothing, one waits until something may start,
the others rest until it calls them. So nobody polls, and a request costs no task. Knows nothing of requests.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from runner.engine.dispatch import Dispatch
from runner.engine.pending import Pending
from runner.errors import OutputError

HOPS = 5
"""Turns of the event loop that what has already arrived gets before it is given up."""


@dataclass(eq=False)
class Crew:
    """work: sends one request and writes down what came of it.

    looking: wakes the one that waits. resting: wake the others. called: one is on its way to look.
    """

    dispatch: Dispatch
    work: Callable[[Pending], Awaitable[None]]
    running: set[asyncio.Task[None]] = field(default_factory=set)
    looking: asyncio.Future[None] | None = None
    looks_at: float = math.inf
    resting: list[asyncio.Future[None]] = field(default_factory=list)
    called: bool = False
    errors: list[BaseException] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until all is done. An error comes out once what is in flight has ended.

        After a failed write too: the replies that still come are paid for, and the sink shows what it cannot write.
        """
        self._start()
        try:
            await self.over.wait()
        finally:
            self.cancel()
            await asyncio.gather(*self.running, return_exceptions=True)
        for error in sorted(self.errors, key=lambda error: not isinstance(error, OutputError)):
            raise error

    def end(self) -> None:
        """Take nothing more."""
        self.dispatch.end()
        self._wake_all()

    def cancel(self) -> None:
        for task in self.running:
            task.cancel()

    def cancel_soon(self, hops: int = HOPS) -> None:
        """Give up what is in flight, but for replies that have arrived and were not looked at yet."""
        if hops:
            asyncio.get_running_loop().call_soon(self.cancel_soon, hops - 1)
        else:
            self.cancel()

    def wake(self) -> None:
        """Something may start that could not before: have a worker look, unless one is on its way to it."""
        dispatch = self.dispatch
        if self.called or dispatch.ended or dispatch.in_flight >= dispatch.most:
            return
        if self.looking is not None:  # what it waits for may be there before its time
            _set(self.looking)
            return
        while self.resting:
            if _set(self.resting.pop()):
                self.called = True
                return
        if len(self.running) < dispatch.most:
            self.called = True
            self._start()

    # ------------------------------------------------------------ one worker

    def _start(self) -> None:
        task = asyncio.create_task(self._worker())
        self.running.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(error)
            self.end()
        if not self.running:
            self.over.set()

    async def _worker(self) -> None:
        dispatch = self.dispatch
        while not dispatch.ended:
            self.called = False
            pending = dispatch.pick()
            if pending is not None:
                dispatch.in_flight += 1
                self.wake()
                try:
                    await self.work(pending)
                finally:
                    dispatch.in_flight -= 1
            elif dispatch.ended or dispatch.idle:
                break
            elif self.looking is None:
                await self._look()
            else:
                if dispatch.due < self.looks_at or not dispatch.in_flight:
                    _set(self.looking)
                await self._rest()
        self._wake_all()

    async def _look(self) -> None:
        """Wait until something is due, or somebody says that something may have changed."""
        dispatch, now = self.dispatch, self.dispatch.clock.now()
        due, deadline = dispatch.due, dispatch.deadline
        if not dispatch.in_flight and due < math.inf and deadline.comes_before(due):
            dispatch.end_at(deadline.limit(waits_for=due - now))
            return
        loop = asyncio.get_running_loop()
        self.looking, self.looks_at = loop.create_future(), min(due, deadline.last_start)
        timer = None
        if self.looks_at < math.inf:
            timer = loop.call_later(max(0.0, self.looks_at - now), _set, self.looking)
        try:
            await self.looking
        finally:
            self.looking = None
            if timer is not None:
                timer.cancel()

    async def _rest(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.resting.append(place)
        await place

    def _wake_all(self) -> None:
        if self.looking is not None:
            _set(self.looking)
        for place in self.resting:
            _set(place)
        self.resting.clear()


def _set(future: asyncio.Future[None]) -> bool:
    if future.done():
        return False
    future.set_result(None)
    return True
