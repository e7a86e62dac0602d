"""What a run has behind it when it goes on: `store` fills it from what is on disk, `report` puts it into words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has spent in its earlier sittings, in US dollars.

    usd: answers, replies of requests that are not done yet, and overhead, as far as they have a known price.
    maybe_usd: attempts that may have been billed without an answer, at what was reserved for them; maybe_attempts:
    how many. unpriced: answers and such attempts without a known price, which are in neither sum.
    """

    usd: float = 0.0
    maybe_usd: float = 0.0
    maybe_attempts: int = 0
    unpriced: int = 0

    @property
    def at_most(self) -> float:
        """What counts against a cap."""
        return self.usd + self.maybe_usd


@dataclass(frozen=True, slots=True)
class Resume:
    """How a sitting begins. continued: an earlier sitting began the run.

    total: requests of the plan. answered: those that earlier sittings of the run answered. reused: those answered by
    earlier runs of the job, from this sitting. failed: those of the rest with a result that is a failure.
    """

    total: int
    answered: int = 0
    reused: int = 0
    failed: int = 0
    continued: bool = False
    simulated: bool = False
    spent: Spent = Spent()

    @property
    def done(self) -> int:
        return self.answered + self.reused

    @property
    def left(self) -> int:
        """Requests without an answer, of which identical ones are sent once."""
        return self.total - self.done
