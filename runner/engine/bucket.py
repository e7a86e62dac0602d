"""One limit of one model as two token buckets: what the server's is believed to hold, and what we allow ourselves.

The server's level follows from its headers and from what was sent since; it says when the next request fits. Our own
bucket keeps what headers do not tell: a limit that the author set, a burst that is smaller than the headers suggest, a
rate learned from refusals. Pure arithmetic: no clock, no waiting; seconds come in as arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.engine.booked import Booked, outside
from runner.engine.told import ROUNDED_TO, Told

RISE = 0.25
"""How much of a good surprise is believed at once; bad ones are believed whole. Waiting for the rest costs nothing as
long as the server's bucket is not full."""
DRIFT_SECONDS = 3.0
"""How quickly it is noticed that somebody else uses the account, or has stopped to."""
MOST_DRIFT = 0.9
ROOM_SECONDS = 2.0
"""In this time what may be used ahead of the refill grows by e, while no request is refused and the server has room."""
FIRST_ROOM_SECONDS, FIRST_ROOM_UNITS = 0.5, 5
SURE = 0.75
"""Of a first remainder that was rounded, at least so much is counted on."""
TRIED = 0.1
"""Share of the refill that is sent beyond it while the rounding of remainders may hide that there is more."""
SLACK = 0.03
LEAST_MARGIN_SECONDS, LARGEST_MARGIN_SECONDS = 0.02, 0.3
"""What is kept back, as time: requests do not arrive as evenly as they start, the less so on a busy machine."""
LARGEST_MARGIN, MOST_CAUTION, CAUTION_FADES = 4.0, 16.0, 60.0


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

    cap: the author's rate; learned: one that follows from refusals; speed: the least of all, our own refill.
    caution: how much more than usual is kept back. unit: a usual request's need; spread: by how much needs differ.
    room: most that may be used ahead of our own refill; used: how much is; full: how far the room may grow.
    late: whether the server only books a request when its reply ends; then `booked` is what it holds until then.
    exact: whether remainders are told to the last token; unsure: what the level may be higher than believed.
    """

    late: bool = False
    cap: float | None = None
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
    learned: float | None = None
    room: float = 0.0
    used: float = 0.0
    full: float = math.inf
    tight: bool = False
    speed: float | None = None

    def limited_to(self, per_minute: float | None) -> None:
        """The author wants no more than this; of several such limits the lowest holds."""
        if per_minute is not None:
            rate = per_minute / 60
            self.cap = rate if self.cap is None else min(self.cap, rate)
            self.room = self.full = max(1.0, self.cap)
            self.reckon()

    def reckon(self) -> None:
        """What follows from the rates: `speed`, our own refill a second, None while nothing limits us."""
        known = [rate for rate in (self.rate, self.learned, self.cap) if rate is not None]
        self.speed = min(known) if known else None

    def learn(self, rate: float | None) -> None:
        """A rate that follows from refusals; None: what was learned does not hold."""
        if rate is None and self.learned is not None and self.cap is None:
            self.full = math.inf
        self.learned = rate
        self.reckon()

    def restrain(self, room: float) -> None:
        """After a refusal: no more than this may go ahead of our own refill, and all of it went."""
        self.room = self.full = self.used = room

    @property
    def margin(self) -> float:
        """What is kept back: one request or a moment's worth, more after refusals."""
        rate = self.rate or 0.0
        least = max(self.unit, min(LEAST_MARGIN_SECONDS * rate, self.capacity / 10))
        largest = max(LARGEST_MARGIN * self.unit, min(LARGEST_MARGIN_SECONDS * rate, self.capacity / 2))
        doubt = min(self.booked.variance(self.unit, self.spread), self.capacity / 2) if self.late else 0.0
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
        speed = self.speed
        if speed is not None:
            self.used = max(0.0, self.used - speed * seconds)
            if self.tight and self.room < self.full:
                self.room = min(self.full, self.room * math.exp(min(seconds, ROOM_SECONDS) / ROOM_SECONDS))

    def _try_more(self, seconds: float) -> None:
        """Use what the rounding of remainders may hide, little by little."""
        more = min(self.unsure, TRIED * (self.rate or 0.0) * seconds)
        self.unsure = 0.0 if self.exact else self.unsure - more
        self.level += more

    def wait(self, need: float) -> float:
        """Seconds until so much may be sent, as far as is known now; 0 when it may. Never infinite."""
        seconds = 0.0
        if self.rate is not None:
            wanted = min(need + self.margin, self.capacity + self.slack)
            if self.level < wanted:
                seconds = (wanted - self.level) / (self.rate + self.drift)
            if self.late and self.booked.level < (wanted := min(self.margin, self.capacity / 2)):
                seconds = max(seconds, (wanted - self.booked.level) / (self.rate + self.drift))
        over = self.used + need - self.room
        self.tight = False
        if over > 0 and self.used > 0 and self.speed is not None:
            self.tight = seconds == 0.0
            growth = self.room / ROOM_SECONDS if self.tight and self.room < self.full else 0.0
            seconds = max(seconds, min(over, self.used) / (self.speed + growth))
        return seconds

    # ------------------------------------------------------------ requests

    def take(self, need: float, now: float) -> Mark:
        self.level = min(self.level, self.capacity) - need
        self.used += need
        if self.late:
            self.booked.owes(need)
        return Mark(now, self.level, self.shifted, self.number, self.booked.mark)

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
        self.used = max(0.0, self.used - need)
        if self.late:
            self.booked.owes(-need)

    def reckon_with(self, before: float, need: float) -> None:
        """A request in flight that took `before` is now believed to need `need`."""
        self.shift(before - need)
        self.used = max(0.0, self.used + need - before)
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
        low, high = self._range(told)
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

    def _rounds(self, told: Told) -> bool:
        return not self.exact and told.limit >= 2 * ROUNDED_TO

    def _range(self, told: Told) -> tuple[float, float]:
        if not self._rounds(told):
            return told.remaining, told.remaining + 1
        return told.remaining - ROUNDED_TO / 2, told.remaining + ROUNDED_TO / 2

    def _first(self, told: Told, mark: Mark, need: float, now: float, after: float) -> None:
        """The first reading. Until then the level was counted down from 0."""
        self.limit, self.rate = told.limit, told.limit / 60
        surely = max(self._range(told)[0], told.remaining * SURE)
        self.level = surely + min(0.0, self.rate * (now - mark.at) - after)
        hidden = ROUNDED_TO / 2 if self._rounds(told) and told.remaining == 0 and not self.late else 0.0
        self.booked.move(surely - self.booked.level)
        self.capacity, self.unsure = 0.0, hidden
        self._holds(told.remaining + hidden, need, now - mark.at)
        self.reckon()
        self.number, self.first = 0, (mark.at, mark.level - mark.shifted - told.remaining, self.shifted)
        self.used = max(0.0, self.used - self.rate * (now - mark.at))
        if self.cap is None:
            self.full = math.inf
            self.room = max(self.used, FIRST_ROOM_UNITS * self.unit, FIRST_ROOM_SECONDS * self.rate)

    def _changed(self, told: Told) -> None:
        """Another limit holds from now on; replies to what was sent before may still tell the old one."""
        self.drift *= told.limit / (self.limit or told.limit)
        self.limit, self.rate = told.limit, told.limit / 60
        self.number += 1
        self.reckon()

    def _suspect(self, error: float) -> None:
        self.drift = min(0.0, max(-MOST_DRIFT * (self.rate or 0.0), self.drift + error / DRIFT_SECONDS))

    # ------------------------------------------------------------ refusals

    def lacked(self, told: Told | None, need: float) -> bool:
        """Whether headers of a refusal say that it was for want of this."""
        if told is None:
            return False
        return self._range(told)[0] < need

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

    def overdone(self) -> None:
        """Refused although headers tell of room: the burst is what was used ahead, and no larger."""
        self.room = self.full = max(self.unit, min(self.room, self.used) - self.margin)
