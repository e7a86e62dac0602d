"""An event loop whose time jumps to the next timer whenever everything waits: hours pass in no time, in order."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for the next timer, moves the time forward to it."""

    moved = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits and nothing is ever going to happen")
        self.moved += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.moved


@dataclass(frozen=True)
class LoopClock:
    """The engine's clock on the running loop's time, from 2026-11-22 on."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def utc(self) -> str:
        moment = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self.now())
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
