"""One lane a model: who waits for it and its pace; closed once nothing can be answered on it.

Limits are kept per model (https://platform.claude.com/docs/en/api/rate-limits). How fast requests start is the pace's
to say, who goes first the dispatch's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import chain
from typing import TYPE_CHECKING

from runner.engine.pace import Pace
from runner.engine.paces import Paces
from runner.records import Failure

if TYPE_CHECKING:
    from runner.engine.pending import Pending

REPEATS_TO_CLOSE = 20
LOST_TO_STOP = 20


@dataclass(eq=False)
class Lane:
    """What is known of one model. closed: why no more is sent to it; its requests fail unsent. left: nothing more is
    sent to it in this sitting, and its requests stay without a result.

    later: requests that wait for their time, each behind that time and a number of its own; again: those that were in
    the queue before and go first; fresh: those that were not. count: all that wait, here or with a leader.
    lost: requests in a row that used up their retries without one reply in between.
    """

    pace: Pace = field(default_factory=lambda: Pace(""))
    later: list[tuple[float, int, Pending]] = field(default_factory=list)
    again: deque[Pending] = field(default_factory=deque)
    fresh: deque[Pending] = field(default_factory=deque)
    count: int = 0
    closed: Failure | None = None
    left: bool = False
    repeated: Failure | None = None
    repeats: int = 0
    lost: int = 0

    @property
    def queue(self) -> deque[Pending]:
        """Where the next one comes from."""
        return self.again or self.fresh

    def wait(self, pending: Pending, due: float, order: int) -> None:
        """Keep it until `due`; there is nothing to wait for where nothing more is sent."""
        heappush(self.later, (0.0 if self.left or self.closed else due, order, pending))

    def requeue(self, now: float) -> float:
        """Put those that are due before what is new. When the next one is due."""
        later = self.later
        while later and later[0][0] <= now:
            self.again.append(heappop(later)[2])
        return later[0][0] if later else math.inf

    def pendings(self) -> Iterator[Pending]:
        """All that wait here."""
        return chain(self.again, self.fresh, (pending for _, _, pending in self.later))

    def answered(self) -> None:
        """A reply came: whatever was wrong is not wrong with every request."""
        self.repeated, self.repeats, self.lost = None, 0, 0

    def rejected(self, failure: Failure) -> None:
        """A request failed for good. After twenty in a row for the same reason, so would all the others."""
        same = self.repeated is not None and reason(self.repeated) == reason(failure)
        self.repeats = self.repeats + 1 if same else 1
        self.repeated = failure
        if self.repeats >= REPEATS_TO_CLOSE and self.closed is None:
            what = "replies in a row were no messages" if no_message(failure) else "requests in a row were refused"
            said = f"{self.repeats} {what}: {failure.message}"
            self.close(Failure("repeated_invalid_request", said, failure.http_status, failure.error_type))

    def lose(self) -> bool:
        """A request used up its retries. True once so many did in a row that the model must be called unavailable."""
        self.lost += 1
        return self.lost >= LOST_TO_STOP

    def close(self, failure: Failure) -> None:
        """Nothing can be answered: nobody waits for a better time."""
        if self.closed is None:
            self.closed = failure
            self.requeue(math.inf)

    def leave(self) -> None:
        """Nothing more is sent in this sitting: nobody waits for a better time."""
        self.left = True
        self.requeue(math.inf)


def no_message(failure: Failure) -> bool:
    return failure.kind == "malformed_reply"


def reason(failure: Failure) -> tuple[str, int | None, str]:
    """What failures of one cause have in common. That of a reply that cannot be read quotes the reply."""
    return failure.kind, failure.http_status, "" if no_message(failure) else failure.message


def for_the_others(failure: Failure) -> Failure:
    """Why requests of a closed lane fail unsent: the same reason, without what belongs to one exchange."""
    return replace(failure, request_id=None, retry_after=None, maybe_billed=False, headers={})


@dataclass
class Lanes:
    paces: Paces = field(default_factory=Paces)
    by_model: dict[str, Lane] = field(default_factory=dict)

    def of(self, model: str) -> Lane:
        lane = self.by_model.get(model)
        if lane is None:
            lane = self.by_model[model] = Lane(self.paces.of(model))
        return lane

    def in_turn(self) -> list[Lane]:
        """All lanes; whoever `served` named last is the last."""
        return list(self.by_model.values())

    def served(self, model: str) -> None:
        if len(self.by_model) > 1:
            self.by_model[model] = self.by_model.pop(model)

    def all_left(self, models: Collection[str]) -> bool:
        """Whether each of these models was asked, and left."""
        lanes = (self.by_model.get(model) for model in models)
        return all(lane is not None and lane.left for lane in lanes)

    def closed(self) -> dict[str, Failure]:
        """model → why it was given up."""
        return {model: lane.closed for model, lane in self.by_model.items() if lane.closed}
