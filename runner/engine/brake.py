"""What a 429 asks for and what it teaches: a pause for everyone, a smaller bucket, another rate, a gentler ramp.

Where headers tell what was lacking, that bucket is empty. Where they tell of room, the first 429 shows the size of a
burst, the next one a rate; so they do where nothing is told of the limit at all. Pure arithmetic; seconds come in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from runner.engine.bucket import Bucket
from runner.engine.buckets import Buckets
from runner.engine.needs import Ticket
from runner.engine.refusals import Refusals
from runner.engine.retry import patience
from runner.engine.told import Told
from runner.engine.window import Window
from runner.records import Failure, RetryPolicy

AGAIN_SECONDS: Final = 20.0
LONGEST_PAUSE: Final = 8.0
FIRST_PAUSE: Final = 0.25
SHARE_OF_SILENCE: Final = 0.125
"""Of the time in which nothing but 429s came, so much is paused at least, whatever they ask for: the longer a storm
lasts, the more rarely it is asked whether it is over."""
RAMP: Final = "ramp_limit_exceeded"
"""The error code of a 429 that is about how fast the rate rose, not about the rate."""
ROOM_SECONDS, ROOM_REQUESTS = 0.2, 2.0
"""So much of a learned rate may go ahead of it, if the bucket can hold more than that."""


@dataclass
class Brake:
    """in_a_row: episodes of 429s since the last reply, the first of which came at `silent_since`, None without any.
    began: when the last one did, with `through` by then.
    """

    buckets: Buckets
    window: Window
    refusals: Refusals = field(default_factory=Refusals)
    paused_until: float = 0.0
    began: float = -math.inf
    through: int = 0
    in_a_row: int = 0
    silent_since: float | None = None

    def silent(self, now: float) -> float:
        """Seconds since the first 429 after the last reply, 0 where none came."""
        return 0.0 if self.silent_since is None else now - self.silent_since

    @property
    def refused_again(self) -> bool:
        """Whether nothing was answered between the last two spells of 429s."""
        return self.in_a_row > 1

    def worn_out(self, policy: RetryPolicy, now: float) -> bool:
        """Whether only 429s came: in more spells than there are retries, and for longer than these are patient."""
        return self.in_a_row > policy.max and self.silent(now) >= patience(policy)

    def pause(self, until: float) -> None:
        """Nothing starts before then."""
        self.paused_until = max(self.paused_until, until)

    def answered(self, now: float) -> None:
        """A reply came: after a while without 429s, try a little more than was learned."""
        self.in_a_row, self.silent_since = 0, None
        if self.refusals.rate is not None:
            self.refusals.probe(now)
            self._use_rate()

    def refused(
        self, ticket: Ticket, failure: Failure, told: Mapping[str, Told], *, in_flight: int, now: float
    ) -> None:
        """A 429. All that were in flight when the first of them came are one episode, and teach no more than it.

        told: what its headers say.
        """
        self.refusals.refused += 1
        if self.silent_since is None:
            self.silent_since = now
        if ticket.at < self.began:
            if self.refusals.refused_too(ticket.through):
                self._begin_again()
            if failure.retry_after is not None:
                self.pause(now + failure.retry_after)
            return
        again = now - self.began < AGAIN_SECONDS and self.refusals.through > self.through
        resumed = self.paused_until
        self.in_a_row += 1
        asked = self._own_pause() if failure.retry_after is None else failure.retry_after
        self.pause(now + max(asked, min(LONGEST_PAUSE, SHARE_OF_SILENCE * self.silent(now))))
        self._learn(ticket, failure, told, resumed, again=again, in_flight=in_flight)
        self.began, self.through = now, self.refusals.through

    def _learn(
        self, ticket: Ticket, failure: Failure, told: Mapping[str, Told], resumed: float, *, again: bool, in_flight: int
    ) -> None:
        named = self.buckets.named_in(failure.message)
        if failure.error_type == RAMP:
            self.refusals.ramped(ticket.at, ticket.through)
            self._begin_again()
        elif named.rate is None:
            self.refusals.episode(ticket.at, ticket.through, resumed)
            self._begin_again()
            self.window.cut(in_flight, learned=self.refusals.rate is not None)
        elif not self._lacked(ticket, told):
            self._overdone(named, ticket, resumed, again=again)

    def _own_pause(self) -> float:
        """A 429 that does not say how long: a moment, and twice as long each time nothing gets through."""
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.in_a_row - 1, 20)))

    def _lacked(self, ticket: Ticket, told: Mapping[str, Told]) -> bool:
        """Whether headers of the 429 say what it was for want of; that is empty, and should not have been."""
        lacking = self.buckets.lacking(told, ticket.needs)
        for bucket in lacking:
            bucket.surprised(self.window.pace)
        return bool(lacking)

    def _overdone(self, bucket: Bucket, ticket: Ticket, resumed: float, *, again: bool) -> None:
        """Headers tell of room: the burst is smaller than that. When it happens again, so may be the rate."""
        bucket.surprised(self.window.pace)
        bucket.own.overdone(bucket.unit, bucket.margin)
        if not again:
            self.refusals.forget()
        self.refusals.episode(ticket.at, ticket.through, resumed, self._allowed)
        if again:
            self._begin_again()

    @property
    def _allowed(self) -> float | None:
        """Requests a second that headers or the author allow."""
        requests = self.buckets.requests
        return min((rate for rate in (requests.rate, requests.own.cap) if rate is not None), default=None)

    def _use_rate(self) -> None:
        """Send at the learned rate, until it is no lower than what is allowed anyway."""
        refusals, allowed = self.refusals, self._allowed
        if refusals.rate is not None and allowed is not None and refusals.rate >= allowed:
            refusals.forget()
        self.buckets.requests.own.learn(refusals.rate)

    def _begin_again(self) -> None:
        self._use_rate()
        rate, size = self.refusals.rate, self.refusals.size
        if rate is not None:
            self.buckets.requests.own.restrain(min(max(ROOM_REQUESTS, ROOM_SECONDS * rate), max(1.0, size - 1)))
