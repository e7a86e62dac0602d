"""A timer that lets what has come be read before it goes off. Standard library only.

A process may stand still: a laptop sleeps, a container is frozen, a machine is busy. When it goes on, replies lie in
its sockets and its timers are long over, and asyncio runs the timers first: one that gives up waiting would throw away
what was received and paid for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

STOOD_STILL: Final = 0.5
"""Seconds that a timer may be late before the process counts as having stood still."""
TO_READ: Final = 2.0
"""Seconds more, once, to read what came in the meantime."""


class Timer:
    """Calls `then` in so many seconds, or a moment later when the process stood still. Wants a running event loop."""

    def __init__(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._then = then
        self._due = self._loop.time() + seconds
        self._handle = self._loop.call_at(self._due, self._over)

    def cancel(self) -> None:
        self._handle.cancel()

    def _over(self) -> None:
        if self._loop.time() - self._due > STOOD_STILL:
            self._handle = self._loop.call_later(TO_READ, self._then)
        else:
            self._then()
