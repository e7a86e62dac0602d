"""A sitting's deadline: when the last request may start so that its reply still comes in time. Pure arithmetic."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from runner.engine.ended import Limit

REMEMBERED = 100
MOST_OF_IT = 0.5
"""Slow replies may keep back no more than this share of the whole time."""


@dataclass
class Deadline:
    """at: on the engine's clock; seconds: from the start of the sitting; None for none."""

    at: float | None = None
    seconds: float = 0.0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    reserve: float = 0.0

    def heard(self, seconds: float) -> None:
        """A reply took so long."""
        if self.at is not None:
            self.latencies.append(seconds)
            self.reserve = sorted(self.latencies)[len(self.latencies) * 9 // 10]

    @property
    def last_start(self) -> float:
        """From then on nothing is sent any more."""
        if self.at is None:
            return float("inf")
        return self.at - min(self.reserve, MOST_OF_IT * self.seconds)

    def comes_before(self, moment: float) -> bool:
        return self.at is not None and moment >= self.last_start

    def limit(self, *, waits_for: float | None = None) -> Limit:
        """waits_for: seconds that what is left would have had to wait."""
        why = "it came before everything was answered"
        if waits_for is not None and waits_for >= 1:
            why = f"the API asks to wait {spoken(waits_for)} longer"
        step = "Run the same command again: it goes on. Raise `run.deadline` for longer sittings."
        return Limit("deadline", f"deadline {spoken(self.seconds)}: {why}", step)


def spoken(seconds: float) -> str:
    """`90 s`, `5 min`, `1 h`: whole units where they are whole."""
    whole = round(seconds)
    if whole >= 3600 and whole % 3600 == 0:
        return f"{whole // 3600} h"
    return f"{whole // 60} min" if whole >= 60 and whole % 60 == 0 else f"{whole:,} s"
