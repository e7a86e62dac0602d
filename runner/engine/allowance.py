"""What we allow ourselves of one limit, as a token bucket of our own that refills no faster than the server's.

It keeps what headers do not tell: a limit that the author set, a burst that is smaller than the headers suggest, a rate
learned from refusals. Pure arithmetic: no clock, no waiting; seconds come in as arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ROOM_SECONDS = 2.0
"""In this time what may be used ahead of the refill grows by e, while no request is refused and the server has room."""
FIRST_ROOM_SECONDS, FIRST_ROOM_UNITS = 0.5, 5


@dataclass(slots=True)
class Allowance:
    """told: the rate of the server's bucket, a second; cap: the author's; learned: one that follows from refusals.

    speed: the least of these, our own refill; None while nothing limits us. room: most that may be used ahead of it;
    used: how much is; full: how far the room may grow; tight: whether the last to wait waited only for room.
    """

    told: float | None = None
    cap: float | None = None
    learned: float | None = None
    speed: float | None = None
    room: float = 0.0
    used: float = 0.0
    full: float = math.inf
    tight: bool = False

    def limited_to(self, per_minute: float | None) -> None:
        """The author wants no more than this; of several such limits the lowest holds."""
        if per_minute is not None:
            rate = per_minute / 60
            self.cap = rate if self.cap is None else min(self.cap, rate)
            self.room = self.full = max(1.0, self.cap)
            self._reckon()

    def learn(self, rate: float | None) -> None:
        """A rate that follows from refusals; None: what was learned does not hold."""
        if rate is None and self.learned is not None and self.cap is None:
            self.full = math.inf
        self.learned = rate
        self._reckon()

    def follow(self, rate: float) -> None:
        """The server's bucket refills at this rate."""
        self.told = rate
        self._reckon()

    def begin(self, rate: float, seconds: float, unit: float) -> None:
        """So is told for the first time, of `seconds` ago. unit: a usual request's need."""
        self.follow(rate)
        self.used = max(0.0, self.used - rate * seconds)
        if self.cap is None:
            self.full = math.inf
            self.room = max(self.used, FIRST_ROOM_UNITS * unit, FIRST_ROOM_SECONDS * rate)

    def _reckon(self) -> None:
        known = [rate for rate in (self.told, self.learned, self.cap) if rate is not None]
        self.speed = min(known) if known else None

    def restrain(self, room: float) -> None:
        """After a refusal: no more than this may go ahead of our own refill, and all of it went."""
        self.room = self.full = self.used = room

    def overdone(self, unit: float, margin: float) -> None:
        """Refused although headers tell of room: the burst is what was used ahead, and no larger."""
        self.room = self.full = max(unit, min(self.room, self.used) - margin)

    def refill(self, seconds: float) -> None:
        if self.speed is not None:
            self.used = max(0.0, self.used - self.speed * seconds)
            if self.tight and self.room < self.full:
                self.room = min(self.full, self.room * math.exp(min(seconds, ROOM_SECONDS) / ROOM_SECONDS))

    def wait(self, need: float, seconds: float) -> float:
        """Seconds until so much may be sent; `seconds` is how long the server's bucket makes it wait anyway."""
        over = self.used + need - self.room
        self.tight = False
        if over <= 0 or self.used <= 0 or self.speed is None:
            return seconds
        self.tight = seconds == 0.0
        growth = self.room / ROOM_SECONDS if self.tight and self.room < self.full else 0.0
        return max(seconds, min(over, self.used) / (self.speed + growth))

    def use(self, amount: float) -> None:
        """amount: below 0 what was not used after all."""
        self.used = max(0.0, self.used + amount)
