"""Time as an argument: the protocol the engine asks, and the real thing. Tests bring a clock of their own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds from some moment, never going back."""
        ...

    def utc(self) -> str:
        """The time of day, RFC 3339 with milliseconds: `2026-11-22T09:28:11.123Z`."""
        ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class RealClock:
    def now(self) -> float:
        return time.monotonic()

    def utc(self) -> str:
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
