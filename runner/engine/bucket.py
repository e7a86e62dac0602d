"""One limit of one model as a token bucket: what the server's is believed to hold.

Its level follows from headers and from what was sent since; it says when the next request fits, together with what we
allow ourselves (`allowance`). Pure arithmetic: no clock, no waiting; seconds come in as arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.engine.allowance import Allowance
from runner.engine.booked import Booked, outside
from runner.engine.told import ROUNDED_TO, Told

RISE = 0.25
"""How much of a good surprise is believed at once; bad ones are believed whole. Waiting for the rest costs nothing as
long as the server's bucket is not full."""
DRIFT_SECONDS = 3.0
"""How quickly it is noticed that somebody else uses the account, or has stopped to."""
MOST_DRIFT = 0.9
SURE = 0.75
"""Of a first remainder that was rounded, at least so much is counted on."""
TRIED = 0.1
"""Share of the refill that is sent beyond it while the rounding of remainders may hide that there is more."""
SLACK = 0.03
LEAST_MARGIN_SECONDS, LARGEST_MARGIN_SECONDS, LARGEST_MARGIN = 0.02, 0.3, 4.0
"""What is kept back, as time: requests do not arrive as evenly as they start, the less so on a busy machine."""
MOST_CAUTION, CAUTION_FADES = 16.0, 60.0


class Mark(NamedTuple):
    """A bucket as it was when a request was sent.

    shifted: sum of all corrections until then; number: of the limits; booked: see `Booked.mark`.
    """

    at: float
    level: float
    shifted: float
    number: int
    booked: float


@dataclass(slots=True)
class Bucket:
    """rate, capacity, level: the server's, a second; rate is None until it is told. drift: what others use of it.

    caution: how much more than usual is kept back. unit: a usual request's need; spread: by how much needs differ.
    own: what we allow ourselves. exact: whether remainders are told to the last token; unsure: what the level may be
    higher than believed.
    late: whether the server only books a request when its reply ends; then `booked` is what it holds until then.
    """

    late: bool = False
    own: Allowance = field(default_factory=Allowance)
    limit: float | None = None
    rate: float | None = None
    capacity: float = math.inf
    level: float = 0.0
    drift: float = 0.0
    at: float = 0.0
    shifted: float = 0.0
    number: int = -1
    first: tuple[float, float, float] = (0.0, 0.0, 0.0)
    exact: bool = False
    unsure: float = 0.0
    unit: float = 1.0
    caution: float = 1.0
    spread: float = 0.0
    booked: Booked = field(default_factory=Booked)

    @property
    def margin(self) -> float:
        """What is kept back: one request or a moment's worth, more after refusals."""
        rate = self.rate or 0.0
        least = max(self.unit, min(LEAST_MARGIN_SECONDS * rate, self.capacity / 10))
        largest = max(LARGEST_MARGIN * self.unit, min(LARGEST_MARGIN_SECONDS * rate, self.capacity / 2))
        doubt = min(self.booked.doubt(self.unit, self.spread), self.capacity / 2) if self.late else 0.0
        return min(largest, self.caution * least) + doubt

    @property
    def slack(self) -> float:
        """Beyond a full bucket: one that holds hardly a request leaves no other margin than a little time."""
        return SLACK * min(LARGEST_MARGIN, self.caution) * self.unit

    # ------------------------------------------------------------ time

    def refill(self, now: float) -> None:
        seconds = now - self.at
        if seconds <= 0:
            return
        self.at = now
        if self.rate is not None:
            gained = (self.rate + self.drift) * seconds
            self.level = min(self.capacity + self.slack, self.level + gained)
            self.booked.level = min(self.capacity, self.booked.level + gained)
            if self.caution > 1.0:
                self.caution = max(1.0, self.caution * (1 - min(1.0, seconds / CAUTION_FADES)))
            elif self.unsure > 0.0:
                self._try_more(seconds)
        self.own.refill(seconds)

    def _try_more(self, seconds: float) -> None:
        """Use what the rounding of remainders may hide, little by little."""
        more = min(self.unsure, TRIED * (self.rate or 0.0) * seconds)
        self.unsure = 0.0 if self.exact else self.unsure - more
        self.level += more

    def wait(self, need: float) -> float:
        """Seconds until so much may be sent, as far as is known now; 0 when it may. Never infinite."""
        seconds = 0.0
        if self.rate is not None:
            margin = self.margin
            lacking = min(need + margin, self.capacity + self.slack) - self.level
            if self.late:
                lacking = max(lacking, min(margin, self.capacity / 2) - self.booked.level)
            if lacking > 0:
                seconds = lacking / (self.rate + self.drift)
        return self.own.wait(need, seconds)

    # ------------------------------------------------------------ requests

    def take(self, need: float, now: float) -> Mark:
        self.level = min(self.level, self.capacity) - need
        self.own.used += need
        if self.late:
            self.booked.owes(need)
        return Mark(now, self.level, self.shifted, self.number, self.booked.mark if self.late else 0.0)

    def settle(self, need: float, paid: float) -> None:
        """A request that took `need` used `paid`."""
        if need != paid:
            self.reckon_with(need, paid)
        if self.late:
            self.booked.owes(-paid)
            self.booked.level -= paid

    def give_back(self, need: float) -> None:
        """A request that took `need` was refused. What had been sent before it is no other for that."""
        self.level += need
        self.own.use(-need)
        if self.late:
            self.booked.owes(-need)

    def reckon_with(self, before: float, need: float) -> None:
        """A request in flight that took `before` is now believed to need `need`."""
        self.shift(before - need)
        self.own.use(need - before)
        if self.late:
            self.booked.owes(need - before)

    def shift(self, amount: float) -> None:
        self.level += amount
        self.shifted += amount

    # ------------------------------------------------------------ headers

    def told(self, told: Told, mark: Mark, need: float, now: float, after: float, latency: float = 0.0) -> None:
        """Headers of the reply to a request that took `need` at `mark`; call `refill` and `settle` before.

        after: what was sent later than it and is still in flight; only asked for with the first reading.

        Whether the server counted when the request came or when its reply ended is not known: the reading is compared
        with the level at both moments, and the smaller difference is believed.
        """
        if told.remaining % ROUNDED_TO:
            self.exact = True
        low, high = told.range(exact=self.exact)
        if self.rate is None:
            self._first(told, mark, need, now, after)
            return
        if told.limit != self.limit and mark.number == self.number:
            self._changed(told)
        self._holds(low, need, now - mark.at)
        if self.late:
            self._rebook(low if told.remaining else -math.inf, high, mark, latency)
            return
        then = outside(low, high, self._level_at(mark))
        error = min(then, outside(low, high, self.level), key=abs)
        if error > 0:  # a request may have crossed the reply on its way
            error = RISE * max(0.0, error - self.unit)
        if error:
            self.shift(error)
            self._suspect(error)

    def _rebook(self, low: float, high: float, mark: Mark, latency: float) -> None:
        """The level lies between what is booked and what that leaves for those in flight."""
        error = self.booked.read(low, high, mark.booked)
        if error:
            self._suspect(error)
        least, most = self.booked.level - self.booked.owed, self.booked.later(self.rate or 0.0, latency)
        if not least <= self.level <= most:
            self.shift(min(max(self.level, least), most) - self.level)

    def _level_at(self, mark: Mark) -> float:
        """The level after the request at `mark`, by what is known now. Before the first reading nothing refilled."""
        level = mark.level + self.shifted - mark.shifted
        if mark.number >= 0 or self.rate is None:
            return level
        at, counted, shifted = self.first
        then = mark.level - mark.shifted - counted + self.rate * (mark.at - at)
        return min(self.capacity, then) + self.shifted - shifted

    def _holds(self, remaining: float, need: float, seconds: float) -> None:
        """It can hold what remains; and, but for what came in since, what was taken `seconds` ago too."""
        self.capacity = max(self.capacity, remaining + max(0.0, need - (self.rate or 0.0) * seconds), 1.0)

    def _first(self, told: Told, mark: Mark, need: float, now: float, after: float) -> None:
        """The first reading. Until then the level was counted down from 0."""
        self.limit, self.rate = told.limit, told.limit / 60
        low, high = told.range(exact=self.exact)
        surely = max(low, told.remaining * SURE)
        self.level = surely + min(0.0, self.rate * (now - mark.at) - after)
        hidden = (high - low) / 2 if high - low > 1 and told.remaining == 0 and not self.late else 0.0
        self.booked.move(surely - self.booked.level)
        self.capacity, self.unsure = 0.0, hidden
        self._holds(told.remaining + hidden, need, now - mark.at)
        self.number, self.first = 0, (mark.at, mark.level - mark.shifted - told.remaining, self.shifted)
        self.own.begin(self.rate, now - mark.at, self.unit)

    def _changed(self, told: Told) -> None:
        """Another limit holds from now on; replies to what was sent before may still tell the old one."""
        self.drift *= told.limit / (self.limit or told.limit)
        self.limit, self.rate = told.limit, told.limit / 60
        self.number += 1
        self.own.follow(self.rate)

    def _suspect(self, error: float) -> None:
        self.drift = min(0.0, max(-MOST_DRIFT * (self.rate or 0.0), self.drift + error / DRIFT_SECONDS))

    # ------------------------------------------------------------ refusals

    def lacked(self, told: Told | None, need: float) -> bool:
        """Whether headers of a refusal say that it was for want of this."""
        return told is not None and told.range(exact=self.exact)[0] < need

    def surprised(self, latency: float) -> None:
        """Refused for want of this: it is empty, and should not have been. Keep a little more back for a while.

        latency: seconds in which all that is owed will be booked.
        """
        self.unsure = 0.0
        self.booked.move(-max(0.0, self.booked.level))
        level = min(0.0, self.booked.later(self.rate or 0.0, latency)) if self.late else 0.0
        if self.level > level:
            self.shift(level - self.level)
        self.caution = min(MOST_CAUTION, 2 * self.caution)
