"""How sending ended. Plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.records import Failure, PaceState
from runner.records import Limit as Limit


@dataclass(frozen=True)
class Ended:
    """How sending ended.

    stopped: the reason given to `Stop` when it left something undone. failure: what ended the run. lanes: models that
    cannot be used. abandoned: requests that were sent and have no result. unsent: taken from the iterator, never sent;
    what the iterator still holds is not counted. gave_up: why a model was left before all of it was answered: it is
    unavailable, or asks for a longer wait than the job allows; of several, the first. limit: a budget or deadline that
    left something undone. paces: as they were.
    """

    stopped: str | None = None
    failure: Failure | None = None
    lanes: Mapping[str, Failure] = field(default_factory=dict)
    unsent: int = 0
    abandoned: int = 0
    gave_up: Failure | None = None
    limit: Limit | None = None
    paces: Sequence[PaceState] = field(default=(), compare=False)

    @property
    def cause(self) -> Failure | None:
        """Why nothing more was sent, when the reason lies with the account or the API."""
        return self.failure or self.gave_up
