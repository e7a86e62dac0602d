"""How far requests are read ahead: a few of a model, and more where another model's may lie behind them.

Reading ahead lets a model go on whose requests lie behind those of one that has to wait. What waits is bounded in
number and in bytes, so that memory does not grow with the rows. Knows nothing of who may start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from runner.engine.lanes import Lane, Lanes
from runner.engine.pending import Pending
from runner.records import Request

LOOK_AHEAD: Final = 1000
LOOK_AHEAD_BYTES: Final = 64_000_000
WAITING_PER_SLOT: Final = 4


@dataclass(eq=False)
class Ahead:
    """requests: read one after the other. most: in flight at once. models: those that they ask; None: not known.

    exhausted: all were read. bytes: of all that wait. last: the lane that was last found to have enough.
    """

    requests: Iterator[Request]
    lanes: Lanes
    most: int
    models: Collection[str] | None = None
    exhausted: bool = False
    bytes: int = 0
    last: Lane | None = None

    def read(self) -> Lane | None:
        """Put the next request at the end of its lane; None: there is none. Raises what the requests raise."""
        request = next(self.requests, None)
        if request is None:
            self.exhausted = True
            return None
        pending = Pending(request)
        lane = self.counted(pending)
        lane.fresh.append(pending)
        if lane.count >= self._of_a_model:
            self.last = lane
        return lane

    def counted(self, pending: Pending) -> Lane:
        """It waits from now on."""
        lane = self.lanes.of(pending.request.model)
        lane.count += 1
        self.bytes += len(pending.request.body)
        return lane

    def taken(self, lane: Lane, pending: Pending) -> None:
        """It waits no longer."""
        lane.count -= 1
        self.bytes -= len(pending.request.body)

    @property
    def enough(self) -> bool:
        """Whether the last lane that was read for has as many waiting as it may, or all together are too large."""
        return self.bytes >= LOOK_AHEAD_BYTES or (self.last is not None and self.last.count >= self._of_a_model)

    @property
    def _of_a_model(self) -> int:
        """How many of one may wait; of several, so many that another one may be found behind them."""
        return LOOK_AHEAD if len(self.models or self.lanes.by_model) > 1 else self.most_later

    @property
    def most_later(self) -> int:
        """How many of a model may wait for a retry while new ones are sent to it: a storm must not take all rows."""
        return min(LOOK_AHEAD, WAITING_PER_SLOT * self.most)
