"""The clock as an argument: what `store` asks of it (the engine has the real one)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds that never go back."""

    def utc(self) -> str:
        """RFC 3339 with milliseconds, `2026-11-22T09:28:11.123Z`."""


def format_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_utc(text: str) -> datetime:
    return datetime.fromisoformat(text)
