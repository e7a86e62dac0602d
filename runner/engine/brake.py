"""What a 429 asks for and what it teaches: a pause for everyone, a smaller bucket, another rate, a gentler ramp.

Where headers tell what was lacking, that bucket is empty. Where they tell of room, the first 429 shows the size of a
burst, the next one a rate; so they do where nothing is told of the limit at all. Pure arithmetic; seconds come in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from runner.engine.bucket import Bucket
from runner.engine.needs import Ticket
from runner.engine.refusals import Refusals
from runner.engine.told import INPUT, KINDS, OUTPUT, REQUESTS, Told
from runner.engine.window import Window
from runner.records import Failure

AGAIN_SECONDS: Final = 20.0
LONGEST_PAUSE: Final = 8.0
FIRST_PAUSE: Final = 0.25
BELIEVED: Final = 3
DOUBTED_PAUSE: Final = 2.0
"""At least so long is paused once so many 429s in a row, each after the wait that the last one asked for, let nothing
through: a storm that lasts must not use up the retries of those that ask again."""
RAMP: Final = "ramp_limit_exceeded"
"""The error code of a 429 that is about how fast the rate rose, not about the rate."""
ROOM_SECONDS, ROOM_REQUESTS = 0.2, 2.0
"""So much of a learned rate may go ahead of it, if the bucket can hold as much."""


@dataclass
class Brake:
    """in_a_row: episodes of 429s since the last reply; began: when the last one did, with `through` by then."""

    buckets: Sequence[Bucket]
    window: Window
    refusals: Refusals = field(default_factory=Refusals)
    paused_until: float = 0.0
    began: float = -math.inf
    through: int = 0
    in_a_row: int = 0

    def pause(self, until: float) -> None:
        """Nothing starts before then."""
        self.paused_until = max(self.paused_until, until)

    def answered(self, now: float) -> None:
        """A reply came: after a while without 429s, try a little more than was learned."""
        self.in_a_row = 0
        if self.refusals.rate is not None:
            self.refusals.probe(now)
            self._use_rate()

    def refused(
        self, ticket: Ticket, failure: Failure, told: Mapping[str, Told], *, headers: bool, in_flight: int, now: float
    ) -> None:
        """A 429. All that were in flight when the first of them came are one episode, and teach no more than it.

        headers: whether any were ever seen; told: those of this one.
        """
        self.refusals.refused += 1
        if ticket.at < self.began:
            if self.refusals.refused_too(ticket.through):
                self._begin_again()
            if failure.retry_after is not None:
                self.pause(now + failure.retry_after)
            return
        again = now - self.began < AGAIN_SECONDS and self.refusals.through > self.through
        resumed = self.paused_until
        self.in_a_row += 1
        self.pause(now + self._seconds(failure.retry_after))
        self._learn(ticket, failure, told, resumed, headers=headers, again=again, in_flight=in_flight)
        self.began, self.through = now, self.refusals.through

    def _learn(
        self, ticket: Ticket, failure: Failure, told: Mapping[str, Told], resumed: float, *, headers: bool,
        again: bool, in_flight: int,
    ) -> None:  # fmt: skip
        named = self.buckets[KINDS.index(named_in(failure.message))]
        if failure.error_type == RAMP:
            self.refusals.ramped(ticket.at, ticket.through)
            self._begin_again()
        elif not headers or named.rate is None:
            self.refusals.episode(ticket.at, ticket.through, resumed)
            self._begin_again()
            self.window.cut(in_flight, learned=self.refusals.rate is not None)
        elif not self._lacked(ticket, told):
            self._overdone(named, ticket, resumed, again=again)

    def _seconds(self, told: float | None) -> float:
        """As long as a 429 says; a little longer where that was too short again and again."""
        if told is None:
            return self._own_pause()
        return max(told, DOUBTED_PAUSE) if self.in_a_row > BELIEVED else told

    def _own_pause(self) -> float:
        """A 429 that does not say how long: a moment, and twice as long each time nothing gets through."""
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.in_a_row - 1, 20)))

    def _lacked(self, ticket: Ticket, told: Mapping[str, Told]) -> bool:
        """Whether headers of the 429 say what it was for want of; that is empty, and should not have been."""
        lacking = [
            bucket
            for kind, bucket, need in zip(KINDS, self.buckets, ticket.needs, strict=True)
            if bucket.lacked(told.get(kind), need)
        ]
        for bucket in lacking:
            bucket.surprised(self.window.pace)
        return bool(lacking)

    def _overdone(self, bucket: Bucket, ticket: Ticket, resumed: float, *, again: bool) -> None:
        """Headers tell of room: the burst is smaller than that. When it happens again, so may be the rate."""
        bucket.surprised(self.window.pace)
        bucket.overdone()
        if not again:
            self.refusals.forget()
        self.refusals.episode(ticket.at, ticket.through, resumed, self._allowed)
        if again:
            self._begin_again()

    @property
    def _allowed(self) -> float | None:
        """Requests a second that headers or the author allow."""
        requests = self.buckets[0]
        return min((rate for rate in (requests.rate, requests.cap) if rate is not None), default=None)

    def _use_rate(self) -> None:
        """Send at the learned rate, until it is no lower than what is allowed anyway."""
        requests, refusals, allowed = self.buckets[0], self.refusals, self._allowed
        if refusals.rate is not None and allowed is not None and refusals.rate >= allowed:
            refusals.forget()
        requests.learn(refusals.rate)

    def _begin_again(self) -> None:
        self._use_rate()
        rate, size = self.refusals.rate, self.refusals.size
        if rate is not None:
            self.buckets[0].restrain(min(max(ROOM_REQUESTS, ROOM_SECONDS * rate), max(1.0, size)))


def named_in(message: str) -> str:
    """Which limit a 429 is about, by the words the API uses."""
    if "output tokens" in message:
        return OUTPUT
    return INPUT if "input tokens" in message or "prompt bytes" in message else REQUESTS
