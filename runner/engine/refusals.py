"""The rate that refusals (429s) reveal where no headers tell of it. Pure arithmetic; seconds come in.

Whenever a refusal comes the server's bucket is empty. So what got through between two episodes of refusals is what it
refilled in that time, unless it ran full in between: a pause gives no more than the bucket holds. How much that is at
most is what got through until the first refusal. From both follows the least that the rate can be; the rate that was
too fast is the most. In between is searched, with growing steps the longer nothing is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FIRST_SHARE = 0.5
"""Of what got through until the first refusal, a part was saved up."""
LEAST_SECONDS = 0.5
TOWARDS_MOST = 0.25
BELOW = 0.97
"""Of a rate that was refused, so much may be right."""
PROBE_SECONDS, PROBE_REQUESTS = 5.0, 50
"""In this time, or that many requests where those take longer, a rate rises to just below what was too fast."""
SEARCH = 0.6
"""Share by which the rate rises each second until a second episode has shown what it is."""
PROBE = 0.025
"""Share by which it is raised beyond that in as long, to notice that a limit was raised."""
GENTLY, GENTLEST, RAMPED = 0.05, 0.03, 0.7
"""After a ramp that was too steep: the share by which the rate rises each second, less each time that it was too steep
again, and what is left of the rate at once."""


@dataclass(slots=True)
class Refusals:
    """rate: to be sent at, a second; None while nothing is known. most: a rate that was too fast.

    size: the most that the server's bucket can hold. search: by which share the rate rises until it was too fast.
    sent, refused: since the beginning. since, then: when the last episode began, and how many had got through by then.
    """

    rate: float | None = None
    least: float = 0.0
    most: float = 0.0
    size: float = math.inf
    search: float = SEARCH
    sent: int = 0
    refused: int = 0
    began: float | None = None
    since: float = 0.0
    then: int = 0
    episodes: int = 0
    at: float = 0.0

    def take(self, now: float) -> None:
        self.sent += 1
        if self.began is None:
            self.began = self.since = now

    @property
    def through(self) -> int:
        return self.sent - self.refused

    def forget(self) -> None:
        """What was learned does not hold; begin again."""
        self.search = SEARCH
        self.episodes, self.rate, self.least, self.most = 0, None, 0.0, 0.0

    def episode(self, now: float, through: int, resumed: float, told: float | None = None) -> None:
        """A new episode, by a request before which `through` had got through, the last ones since `resumed`.

        told: the rate that headers tell of; then it takes two episodes to doubt it.
        Where nothing got through since the last one, it tells nothing about a rate: begin again, with as little as
        can be.
        """
        seconds, passed, active = now - self.since, through - self.then, now - max(self.since, resumed)
        pause = seconds - active
        self.since, self.then, self.at = now, through, now
        if passed <= 0:
            self.forget()
            return
        self.episodes += 1
        if self.rate is not None and passed < self.least * pause / 2:
            self.size = max(1.0, passed / 2)  # a pause brought less than it should: the bucket holds no more
            self.least /= 2
        elif self.episodes == 1:
            self.size = min(self.size, passed)
            self.rate = None if told else FIRST_SHARE * passed / max(LEAST_SECONDS, seconds)
        elif seconds > 0:
            least = max(passed / seconds, (passed - self.size) / active if active > 0 else 0.0)
            self._between(least, self.rate or told or least)

    def _between(self, least: float, refused: float) -> None:
        self.least, self.most = least, max(least, BELOW * refused)
        self.rate = least + TOWARDS_MOST * (self.most - least)

    def ramped(self, now: float, through: int) -> None:
        """The rate rose too quickly, whatever it is: a part of it, or of what got through, and gently on from there."""
        usual = max(1, through - self.then) / max(LEAST_SECONDS, now - self.since)
        self.since, self.then, self.at = now, through, now
        self.rate = RAMPED * (self.rate or usual)
        self.episodes, self.search = 1, max(GENTLEST, min(GENTLY, RAMPED * self.search))

    def probe(self, now: float) -> None:
        """Nothing was refused lately: try a little more."""
        seconds, self.at = min(1.0, now - self.at), now
        if self.rate is None or seconds <= 0:
            return
        time = max(PROBE_SECONDS, PROBE_REQUESTS / self.rate)
        least = PROBE / time * (now - self.since) / time
        self.most *= 1 + least * seconds
        growth = self.search * self.rate if self.episodes == 1 else (self.most - self.rate) / time
        self.rate += max(least * self.rate, growth) * seconds

    def refused_too(self, through: int) -> bool:
        """One of the same moment, sent even earlier: less had got through until the first refusal. Whether it was."""
        if self.episodes != 1 or self.size == math.inf or through >= self.size:
            return False
        self.size = max(1, through)
        return True
