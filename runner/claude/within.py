"""A time limit that a process which stood still does not run into with its replies unread (`timer`)."""

from __future__ import annotations

import asyncio
from types import TracebackType

from runner.timer import Timer


class Within:
    """`async with Within(seconds)` raises TimeoutError when what is inside takes longer; None: no limit.

    A class, since one is made for each request: a generator would take several times as long.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._limit = asyncio.timeout(None)
        self._timer: Timer | None = None

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        if self._seconds is not None:
            self._timer = Timer(self._seconds, self._over)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _over(self) -> None:
        self._limit.reschedule(asyncio.get_running_loop().time())
