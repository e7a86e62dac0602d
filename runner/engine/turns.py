"""Whose turn it is where several jobs of a command ask the same model. Pure bookkeeping: never sends, never waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

TURN_SECONDS: Final = 0.001


@dataclass(slots=True)
class Turns:
    """hungry: jobs that wait for a start. served: those that had one, the latest last."""

    served: dict[object, None] = field(default_factory=dict)
    hungry: set[object] = field(default_factory=set)

    def wait(self, who: object) -> float:
        """Seconds: a moment for each job that waits and was served longer ago."""
        if not self.hungry or self.hungry == {who} or who not in self.served:
            return 0.0
        before = 0
        for other in self.served:
            if other is who:
                break
            before += other in self.hungry
        new = sum(other not in self.served for other in self.hungry)
        return TURN_SECONDS * (before + new)

    def took(self, who: object) -> None:
        self.served.pop(who, None)
        self.served[who] = None
        self.hungry.discard(who)

    def leave(self, job: object) -> None:
        """It waits for nothing any more."""
        self.hungry.discard(job)
        self.served.pop(job, None)
