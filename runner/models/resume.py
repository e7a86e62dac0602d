"""What a run has behind it when it goes on: `store` fills it from what is on disk, `report` puts it into words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has spent in its earlier sittings, in US dollars.

    usd: answers, replies of requests that are not done yet, and overhead, as far as they have a known price.
    maybe_usd: attempts that may have been billed without an answer, at what was reserved for them; maybe_attempts:
    how many. unpriced: answers and such attempts without a known price, which are in neither sum. assumed_usd: what was
    reserved for such answers.
    """

    usd: float = 0.0
    maybe_usd: float = 0.0
    maybe_attempts: int = 0
    unpriced: int = 0
    assumed_usd: float = 0.0

    @property
    def at_most(self) -> float:
        """What counts against a cap."""
        return self.usd + self.maybe_usd + self.assumed_usd


@dataclass(frozen=True, slots=True)
class Resume:
    """How a sitting begins. continued: an earlier sitting began the run.

    total: requests of the plan. answered: those that earlier sittings of the run answered. reused: those answered by
    earlier runs of the job, from this sitting. to_send: those that are sent now, identical ones once; failed: those of
    them that failed before.
    """

    total: int
    answered: int = 0
    reused: int = 0
    to_send: int = 0
    failed: int = 0
    continued: bool = False
    simulated: bool = False
    spent: Spent = Spent()
