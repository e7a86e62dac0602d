"""What a server's bucket holds where it books a request only when its reply ends, as output is. Pure arithmetic.

Requests are refused while it is empty, whatever those in flight leave of it later; so this level is kept beside the
one that counts a request from its start on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Booked:
    """level: tokens, overdrawn below 0. moved: sum of all corrections. owed: needs of what is in flight."""

    level: float = 0.0
    moved: float = 0.0
    owed: float = 0.0

    @property
    def mark(self) -> float:
        """To read the level of this moment by later: see `read`."""
        return self.level - self.moved

    def move(self, amount: float) -> None:
        self.level += amount
        self.moved += amount

    def owes(self, more: float) -> None:
        self.owed = max(0.0, self.owed + more)

    def read(self, low: float, high: float, mark: float) -> float:
        """Headers tell of something between `low` and `high`, now or when the mark was made: believe the smaller
        difference, and say how much it is."""
        error = min(outside(low, high, mark + self.moved), outside(low, high, self.level), key=abs)
        self.move(error)
        return error

    def later(self, rate: float, latency: float) -> float:
        """What will be left once all that is in flight was booked, `latency` seconds from now; never more than now."""
        return self.level + min(0.0, rate * latency - self.owed)

    def doubt(self, unit: float, spread: float) -> float:
        """By how much what is owed may turn out to be more. unit, spread: mean and deviation of a request's need."""
        return spread * math.sqrt(self.owed / unit)


def outside(low: float, high: float, value: float) -> float:
    """How far a level must move to agree with a reading."""
    return high - value if value > high else max(0.0, low - value)
