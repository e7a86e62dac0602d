"""A time limit that a process which stood still does not run into with its replies unread (`timer`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runner.timer import Timer


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Raises TimeoutError when what is inside takes longer; None: no limit."""
    if seconds is None:
        yield
        return
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = Timer(seconds, lambda: limit.reschedule(loop.time()))
        try:
            yield
        finally:
            timer.cancel()
