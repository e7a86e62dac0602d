"""What can be seen of a job while it is sent (`records.Sending`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.engine.dispatch import Dispatch
from runner.records import PaceState


@dataclass(frozen=True)
class View:
    dispatch: Dispatch

    @property
    def in_flight(self) -> int:
        return self.dispatch.in_flight

    @property
    def waiting(self) -> int:
        return self.dispatch.count

    @property
    def spent_usd(self) -> float:
        return self.dispatch.budget.spent

    def paces(self) -> Sequence[PaceState]:
        """Of the models that this job asked so far; shared with the command's other jobs."""
        now = self.dispatch.clock.now()
        return [lane.pace.state(now) for lane in self.dispatch.lanes.by_model.values() if lane.pace.used]
