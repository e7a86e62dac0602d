"""How fast one model may be asked: buckets for its limits, a window, and pauses; learned from every reply.

Shared by all jobs of a command that ask the same model at the same service. A request is reserved when it is sent
(`take`) and settled when its attempt ended, in exactly one way: `answered`, `limited`, `failed` or `dropped`.
Pure arithmetic: seconds of the engine's clock come in as arguments; never sends, never waits.
Why it is the way it is: docs/decisions/0009-the-pace-follows-the-servers-own-buckets.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from runner.engine.brake import Brake
from runner.engine.bucket import Bucket
from runner.engine.estimates import Estimates, tokens_of
from runner.engine.needs import Needs, Ticket, needing
from runner.engine.refusals import Refusals
from runner.engine.told import KINDS, OUTPUT, Told, told_by
from runner.engine.window import UNKNOWN_TOKENS, Window
from runner.records import Failure, Json, PaceState, Request
from runner.spec.job import Limits

__all__ = ["MOST_IN_FLIGHT", "Needs", "Pace", "Ticket"]

MOST_IN_FLIGHT: Final = 2000
"""4,000 requests a minute (https://platform.claude.com/docs/en/api/rate-limits) that take 20 s each are 1,333."""
FASTER: Final = 4.0
"""Requests start at most so many times as fast as the rate refills: saved-up room is used soon, but in no clump."""
CATCH_UP_SECONDS: Final = 0.01
"""Starts that came late, as a busy process has it, may come together when they are no further apart than this."""
TURN_SECONDS: Final = 0.001
AT_ONCE: Final = 0.001
"""Seconds between starts where the author chose the number in flight: the first 429 must come before the last start."""
AFTER_REFUSAL: Final = 0.1
"""Seconds between starts after a 429 while no rate is known: who waited comes back one after the other."""
UNIT_SHARE: Final = 0.05
EPSILON: Final = 1e-9


@dataclass
class Pace:
    """One model's. flying: reservations that are not settled. hungry: jobs that wait for a start here.

    served: when each job last started a request here, the latest last. replies: how many came. headers: whether any
    told of limits.
    """

    model: str
    most: int = MOST_IN_FLIGHT
    slow_start: bool = True
    window: Window = field(init=False)
    buckets: list[Bucket] = field(init=False)
    brake: Brake = field(init=False)
    estimates: Estimates = field(default_factory=Estimates)
    flying: dict[Ticket, None] = field(default_factory=dict)
    input_in_flight: float = 0.0
    next_start: float = -math.inf
    replies: int = 0
    headers: bool = False
    served: dict[object, None] = field(default_factory=dict)
    hungry: set[object] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.window = Window(self.most, guarded=self.slow_start)
        self.buckets = [Bucket(late=kind == OUTPUT) for kind in KINDS]
        self.brake = Brake(self.buckets, self.window)

    def cap(self, limits: Limits) -> None:
        """Stay below these, too; of several jobs' limits the lowest hold."""
        written = (limits.requests_per_minute, limits.input_tokens_per_minute, limits.output_tokens_per_minute)
        for bucket, limit in zip(self.buckets, written, strict=False):
            bucket.limited_to(limit)

    @property
    def in_flight(self) -> int:
        return len(self.flying)

    @property
    def used(self) -> bool:
        """Whether anything was sent here."""
        return self.window.begun is not None

    @property
    def refusals(self) -> Refusals:
        return self.brake.refusals

    @property
    def paused_until(self) -> float:
        return self.brake.paused_until

    def pause(self, until: float) -> None:
        """Nothing starts before then."""
        self.brake.pause(until)

    @property
    def source(self) -> Literal["nothing", "headers", "refusals", "limits"]:
        """Where the rates come from."""
        if self.headers:
            return "headers"
        if self.refusals.rate is not None:
            return "refusals"
        return "limits" if any(bucket.cap for bucket in self.buckets) else "nothing"

    # ------------------------------------------------------------ when the next may start

    def needs(self, request: Request, warm: int) -> Needs:
        """warm: bytes of its body that a cache is believed to hold."""
        output = min(self.estimates.output + self.estimates.doubt, request.max_tokens)
        return needing(self.estimates.input(request, warm), output)

    def wait(self, needs: Needs, now: float, who: object = None) -> float:
        """Seconds until such a request may start: 0 for now, infinite for not before something in flight ends.

        Never infinite while nothing is in flight. who: the job that asks; where several wait, they take turns.
        """
        seconds = self._wait(needs, now)
        if seconds <= 0 and self.hungry and self.hungry != {who}:
            seconds = self._turn(who)
        if seconds > 0:
            self.hungry.add(who)
        return seconds

    def _wait(self, needs: Needs, now: float) -> float:
        if now < self.paused_until:
            return self.paused_until - now
        if self.in_flight >= self._most(now):
            return self.window.next_step(now) or math.inf
        if not self.window.known and self.flying and self.input_in_flight + needs.input > UNKNOWN_TOKENS:
            return math.inf
        seconds = max(0.0, self.next_start - now)
        for bucket, need in zip(self.buckets, needs, strict=True):
            if bucket.speed is not None:
                bucket.refill(now)
                seconds = max(seconds, bucket.wait(need))
        return seconds if seconds > EPSILON else 0.0

    def _most(self, now: float) -> int:
        """In flight at once: the window, but for an account whose limits are told and that has no trouble."""
        window = self.window
        if window.known and (self.headers or not self.slow_start) and not window.troubled:
            return self.most
        most = window.now(now)
        if self.refusals.rate is not None:  # the rate holds it back already: no less than twice what that needs
            return min(self.most, max(most, math.ceil(2 * self.refusals.rate * window.pace)))
        return most

    def _turn(self, who: object) -> float:
        """A moment for each job that waits and was served longer ago."""
        if who not in self.served:
            return 0.0
        before = 0
        for other in self.served:
            if other is who:
                break
            before += other in self.hungry
        new = sum(other not in self.served for other in self.hungry)
        return TURN_SECONDS * (before + new)

    # ------------------------------------------------------------ reservations

    def take(self, request: Request, needs: Needs, now: float, who: object = None) -> Ticket:
        """A request starts now: reserve what it needs."""
        self.served.pop(who, None)
        self.served[who] = None
        self.hungry.discard(who)
        self.window.began(now)
        marks = [bucket.take(need, now) for bucket, need in zip(self.buckets, needs, strict=True)]
        ticket = Ticket(request, needs, now, marks, self.refusals.through, self.replies)
        self.refusals.take(now)
        self.flying[ticket] = None
        self.input_in_flight += needs.input
        self.next_start = max(self.next_start, now - CATCH_UP_SECONDS) + self._gap()
        return ticket

    def _gap(self) -> float:
        """Seconds between two starts at the most."""
        speed = self.buckets[0].speed
        if speed is not None:
            return 1 / (FASTER * speed)
        if self.brake.in_a_row:
            return AFTER_REFUSAL
        if self.headers or not self.window.known or not self.window.pace:
            return 0.0
        share = self.window.pace / max(1, self._most(self.next_start))
        return share if self.slow_start else AT_ONCE

    def began(self, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
        """A streamed reply has begun: its headers are here already."""
        if ticket in self.flying and not ticket.read:
            self._read(ticket, headers, now)

    def answered(
        self, ticket: Ticket, usage: Mapping[str, Json] | None, headers: Mapping[str, str], now: float
    ) -> None:
        """The attempt brought a reply."""
        self.replies += 1
        in_flight, first = self.in_flight, not self.estimates.replies
        tokens = tokens_of(usage)
        self._settle(ticket, needing(tokens[0], tokens[2]) if tokens else ticket.needs, now)
        if tokens is not None:
            self._learn(ticket, tokens, first=first)
        if not ticket.read:
            self._read(ticket, headers, now)
        self.window.replied(now - ticket.at, in_flight, now)
        self.brake.answered(now)

    def limited(self, ticket: Ticket, failure: Failure, now: float) -> None:
        """A 429: everyone pauses as long as it says; once for all that were in flight, go on more slowly."""
        in_flight = self.in_flight
        self._give_back(ticket, now)
        told = told_by(failure.headers)
        for kind in told:
            self._hear(KINDS.index(kind), told[kind], ticket, 0.0, now)
        self.window.heard(now)
        self.brake.refused(ticket, failure, told, headers=self.headers, in_flight=in_flight, now=now)

    def failed(self, ticket: Ticket, headers: Mapping[str, str], now: float, *, strained: bool) -> None:
        """The attempt failed in another way; what it took of the limits is not given back.

        strained: the server is overloaded or broken, which is not this request's fault.
        """
        in_flight = self.in_flight
        self._settle(ticket, needing(ticket.needs.input, 0.0), now)
        if not ticket.read:
            self._read(ticket, headers, now)
        if strained:
            self.window.strained(in_flight, now)
        else:
            self.window.heard(now)

    def dropped(self, ticket: Ticket, now: float) -> None:
        """The attempt was given up from here."""
        self._settle(ticket, ticket.needs, now)

    def _give_back(self, ticket: Ticket, now: float) -> None:
        """A request that was refused took nothing."""
        self._land(ticket)
        for place, (bucket, need) in enumerate(zip(self.buckets, ticket.needs, strict=True)):
            bucket.refill(now)
            bucket.give_back(need)
            ticket.marks[place] = ticket.marks[place]._replace(level=ticket.marks[place].level + need)

    def _land(self, ticket: Ticket) -> None:
        del self.flying[ticket]
        self.input_in_flight = max(0.0, self.input_in_flight - ticket.needs.input) if self.flying else 0.0

    def _settle(self, ticket: Ticket, paid: Needs, now: float) -> None:
        self._land(ticket)
        for bucket, need, used in zip(self.buckets, ticket.needs, paid, strict=True):
            bucket.refill(now)
            bucket.settle(need, used)

    def _learn(self, ticket: Ticket, tokens: tuple[float, float, float], *, first: bool) -> None:
        counted, whole, output = tokens
        self.estimates.learn(ticket.request, whole, output)
        if self.estimates.surer:
            self._reckon_again(first=first)
        for bucket, amount in zip(self.buckets, needing(counted, output), strict=True):
            bucket.unit = amount if first else bucket.unit + UNIT_SHARE * (amount - bucket.unit)
        self.buckets[2].spread = self.estimates.spread

    def _reckon_again(self, *, first: bool) -> None:
        """Replies show what those in flight will need; until the first it was a guess, of their input too."""
        for ticket in self.flying:
            before, needs = ticket.needs, self.needs(ticket.request, 0)
            if not first:
                needs = needing(before.input, needs.output)
            self.input_in_flight += needs.input - before.input
            for bucket, was, need in zip(self.buckets, before, needs, strict=True):
                if need != was:
                    bucket.reckon_with(was, need)
            ticket.needs = needs

    # ------------------------------------------------------------ what headers tell

    def _read(self, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
        told = told_by(headers)
        ticket.read = bool(told)
        self.window.heard(now)
        for kind in told:
            place = KINDS.index(kind)
            self._hear(place, told[kind], ticket, ticket.needs[place], now)

    def _hear(self, kind: int, told: Told, ticket: Ticket, need: float, now: float) -> None:
        if not self.headers:
            self.headers = True
            self.refusals.forget()
            self.buckets[0].learn(None)
        bucket = self.buckets[kind]
        bucket.refill(now)
        after = 0.0
        if bucket.rate is None:
            after = sum(other.needs[kind] for other in self.flying if other.at >= ticket.at and other is not ticket)
        bucket.told(told, ticket.marks[kind], need, now, after, self.window.pace)

    # ------------------------------------------------------------ to be looked at

    def state(self, now: float) -> PaceState:
        window = self._most(now)
        return PaceState(
            model=self.model,
            in_flight=self.in_flight,
            window=window,
            requests_per_minute=per_minute(self.buckets[0]),
            input_tokens_per_minute=per_minute(self.buckets[1]),
            output_tokens_per_minute=per_minute(self.buckets[2]),
            learned=self.source,
            waits=max(0.0, self.paused_until - now),
        )


def per_minute(bucket: Bucket) -> float | None:
    return None if bucket.speed is None else round(60 * bucket.speed, 1)
