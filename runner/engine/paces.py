"""The paces of one command: one a model, shared by all of its jobs that ask the same service.

Jobs that wait are told when something may have changed for them. Never sends, never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from runner.engine.pace import MOST_IN_FLIGHT, Pace
from runner.records import PaceState
from runner.spec.job import Limits


@dataclass
class Paces:
    """most: requests in flight to one model. slow_start: whether the window has to be found out.

    limits: what the jobs' authors allow, for every model.
    """

    most: int = MOST_IN_FLIGHT
    slow_start: bool = True
    limits: list[Limits] = field(default_factory=list)
    by_model: dict[str, Pace] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def of(self, model: str) -> Pace:
        pace = self.by_model.get(model)
        if pace is None:
            pace = self.by_model[model] = Pace(model, self.most, self.slow_start)
            for limits in self.limits:
                pace.cap(limits)
        return pace

    def cap(self, limits: Limits) -> None:
        """Stay below these for every model, too; of several jobs' limits the lowest hold."""
        if limits not in self.limits:
            self.limits.append(limits)
            for pace in self.by_model.values():
                pace.cap(limits)

    def states(self, now: float) -> list[PaceState]:
        return [pace.state(now) for pace in self.by_model.values()]

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Tell a job, while inside, when an attempt of another one ended."""
        self.listeners.append(listener)
        try:
            yield
        finally:
            self.listeners.remove(listener)

    def leave(self, job: object) -> None:
        """A job has ended: it waits for nothing any more."""
        for pace in self.by_model.values():
            pace.turns.leave(job)

    def changed(self, told_by: Callable[[], None]) -> None:
        """An attempt of one job ended, which has looked already."""
        if len(self.listeners) > 1:
            for listener in list(self.listeners):
                if listener != told_by:
                    listener()
