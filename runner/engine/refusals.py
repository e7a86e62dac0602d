"""The rate that refusals (429s) reveal where no headers tell of it. Pure arithmetic; seconds come in.

Whenever a refusal comes the server's bucket is empty. So what got through between two episodes of refusals is what it
refilled in that time, whatever its size, unless it ran full in between: then it is less than the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SHARE = 0.5
"""Of what got through until the first refusal, a part was saved up."""
LEAST_SECONDS = 0.5
TOWARDS_MOST = 0.25
PROBE_SECONDS = 5.0
SEARCH = 0.3
"""Share by which the rate rises each second until a second episode has shown what it is."""
PROBE = 0.005
"""Share of the rate by which it is raised each second, to notice that a limit was raised."""


@dataclass(slots=True)
class Refusals:
    """rate: to be sent at, a second. most: a rate that was too fast. sent, refused: since the beginning.

    since, then: when the last episode began, and how many had got through by then.
    """

    rate: float | None = None
    most: float = 0.0
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

    def episode(self, now: float, through: int) -> None:
        """A new episode, by a request before which `through` had got through.

        Where nothing has since the last one, it tells nothing about a rate: begin again, with as little as can be.
        """
        seconds, passed = now - self.since, through - self.then
        self.since, self.then, self.at = now, through, now
        if passed <= 0:
            self.episodes, self.rate, self.most = 0, None, 0.0
            return
        self.episodes += 1
        if self.episodes == 1:
            self.rate = FIRST_SHARE * passed / max(LEAST_SECONDS, seconds)
        elif seconds > 0:
            least = passed / seconds
            most = self.rate or least
            self.most = max(least, most if self.episodes == 2 else min(self.most, most))
            self.rate = least + TOWARDS_MOST * (self.most - least)

    def probe(self, now: float) -> None:
        """Nothing was refused lately: try a little more."""
        seconds, self.at = min(1.0, now - self.at), now
        if self.rate is None or seconds <= 0:
            return
        self.most *= 1 + PROBE * seconds
        growth = SEARCH * self.rate if self.episodes == 1 else (self.most - self.rate) / PROBE_SECONDS
        self.rate += max(PROBE * self.rate, growth) * seconds
