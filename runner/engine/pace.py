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
from runner.engine.buckets import Buckets
from runner.engine.estimates import Estimates, tokens_of
from runner.engine.needs import Needs, Ticket, needing
from runner.engine.refusals import Refusals
from runner.engine.told import Told, told_by
from runner.engine.turns import Turns
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
AT_ONCE: Final = 0.001
"""Seconds between starts where the author chose the number in flight: the first 429 must come before the last start."""
AFTER_REFUSAL: Final = 0.1
"""Seconds between starts after a 429 without a known rate, or after a second: who waited comes back one by one."""
EPSILON: Final = 1e-9


@dataclass
class Pace:
    """One model's. flying: reservations that are not settled; input_in_flight: what input they need."""

    model: str
    most: int = MOST_IN_FLIGHT
    slow_start: bool = True
    window: Window = field(init=False)
    buckets: Buckets = field(default_factory=Buckets)
    brake: Brake = field(init=False)
    estimates: Estimates = field(default_factory=Estimates)
    flying: dict[Ticket, None] = field(default_factory=dict)
    input_in_flight: float = 0.0
    next_start: float = -math.inf
    turns: Turns = field(default_factory=Turns)

    def __post_init__(self) -> None:
        self.window = Window(self.most, guarded=self.slow_start)
        self.brake = Brake(self.buckets, self.window)

    def cap(self, limits: Limits) -> None:
        """Stay below these, too; of several jobs' limits the lowest hold."""
        self.buckets.cap(limits)

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

    @property
    def source(self) -> Literal["nothing", "headers", "refusals", "limits"]:
        """Where the rates come from."""
        if self.buckets.told:
            return "headers"
        if self.refusals.rate is not None:
            return "refusals"
        return "limits" if self.buckets.capped else "nothing"

    # ------------------------------------------------------------ when the next may start

    def needs(self, request: Request, warm: int) -> Needs:
        """warm: bytes of its body that a cache is believed to hold."""
        output = min(self.estimates.output + self.estimates.doubt, request.max_tokens)
        return needing(self.estimates.input(request, warm), output)

    def wait(self, needs: Needs, now: float, who: object = None) -> float:
        """Seconds until such a request may start: 0 for now, infinite for not before something in flight ends.

        Never infinite while nothing is in flight. who: the job that asks; where several wait, they take turns.
        """
        seconds = self._wait(needs, now) or self.turns.wait(who)
        if seconds > 0:
            self.turns.hungry.add(who)
        return seconds

    def _wait(self, needs: Needs, now: float) -> float:
        if now < self.paused_until:
            return self.paused_until - now
        if self.in_flight >= self._most(now):
            return self.window.next_step(now) or math.inf
        if not self.window.known and self.flying and self.input_in_flight + needs.input > UNKNOWN_TOKENS:
            return math.inf
        seconds = max(self.next_start - now, self.buckets.wait(needs, now))
        return seconds if seconds > EPSILON else 0.0

    def _most(self, now: float) -> int:
        """In flight at once: the window, but for an account whose limits are told and that has no trouble."""
        window = self.window
        if window.known and (self.buckets.told or not self.slow_start) and not window.troubled:
            return self.most
        most = window.now(now)
        if self.refusals.rate is not None:  # the rate holds it back already: no less than twice what that needs
            return min(self.most, max(most, math.ceil(2 * self.refusals.rate * window.pace)))
        return most

    # ------------------------------------------------------------ reservations

    def take(self, request: Request, needs: Needs, now: float, who: object = None) -> Ticket:
        """A request starts now: reserve what it needs."""
        self.turns.took(who)
        self.window.began(now)
        ticket = Ticket(request, needs, now, self.buckets.take(needs, now), self.refusals.through)
        self.refusals.take(now)
        self.flying[ticket] = None
        self.input_in_flight += needs.input
        self.next_start = max(self.next_start, now - CATCH_UP_SECONDS) + self._gap()
        return ticket

    def _gap(self) -> float:
        """Seconds between two starts at the most."""
        speed = self.buckets.requests.own.speed
        if self.brake.in_a_row > (speed is not None):
            return AFTER_REFUSAL
        if speed is not None:
            return 1 / (FASTER * speed)
        if self.buckets.told or not self.window.known or not self.window.pace:
            return 0.0
        share = self.window.pace / max(1, self._most(self.next_start))
        return share if self.slow_start else AT_ONCE

    def began(self, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
        """A streamed reply has begun: its headers are here already."""
        if ticket in self.flying:
            self._read(ticket, headers, now)

    def answered(
        self, ticket: Ticket, usage: Mapping[str, Json] | None, headers: Mapping[str, str], now: float
    ) -> None:
        """The attempt brought a reply."""
        in_flight, first = self.in_flight, not self.estimates.replies
        tokens = tokens_of(usage)
        paid = needing(tokens[0], tokens[2]) if tokens else ticket.needs
        self._settle(ticket, paid, now)
        if tokens:
            self._learn(ticket, tokens[1], paid, first=first)
        self._read(ticket, headers, now)
        self.window.replied(now - ticket.at, in_flight, now)
        self.brake.answered(now)

    def limited(self, ticket: Ticket, failure: Failure, now: float) -> None:
        """A 429: everyone pauses as long as it says; once for all that were in flight, go on more slowly."""
        in_flight = self.in_flight
        self._land(ticket)
        self.buckets.give_back(ticket, now)
        told = self._hear(ticket, failure.headers, now, refused=True)
        self.brake.refused(ticket, failure, told, in_flight=in_flight, now=now)

    def failed(self, ticket: Ticket, headers: Mapping[str, str], now: float, *, strained: bool) -> None:
        """The attempt failed in another way; what it took of the limits is not given back.

        strained: the server is overloaded or broken, which is not this request's fault.
        """
        in_flight = self.in_flight
        self._settle(ticket, needing(ticket.needs.input, 0.0), now)
        self._read(ticket, headers, now)
        if strained:
            self.window.strained(in_flight, now)

    def dropped(self, ticket: Ticket, now: float) -> None:
        """The attempt was given up from here."""
        self._settle(ticket, ticket.needs, now)

    def _land(self, ticket: Ticket) -> None:
        del self.flying[ticket]
        self.input_in_flight = max(0.0, self.input_in_flight - ticket.needs.input) if self.flying else 0.0

    def _settle(self, ticket: Ticket, paid: Needs, now: float) -> None:
        self._land(ticket)
        self.buckets.settle(ticket.needs, paid, now)

    def _learn(self, ticket: Ticket, whole_input: float, paid: Needs, *, first: bool) -> None:
        self.estimates.learn(ticket.request, whole_input, paid.output)
        if self.estimates.surer:
            self._reckon_again(first=first)
        self.buckets.learn(paid, self.estimates.spread, first=first)

    def _reckon_again(self, *, first: bool) -> None:
        """Replies show what those in flight will need; until the first it was a guess, of their input too."""
        for ticket in self.flying:
            before, needs = ticket.needs, self.needs(ticket.request, 0)
            if not first:
                needs = needing(before.input, needs.output)
            self.input_in_flight += needs.input - before.input
            self.buckets.reckon_with(before, needs)
            ticket.needs = needs

    def _read(self, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
        if not ticket.read:
            ticket.read = bool(self._hear(ticket, headers, now))

    def _hear(
        self, ticket: Ticket, headers: Mapping[str, str], now: float, *, refused: bool = False
    ) -> Mapping[str, Told]:
        """What headers tell of the limits; it is learned."""
        self.window.heard(now)
        told = told_by(headers)
        if told:
            if not self.buckets.told:  # what was learned without them does not hold
                self.refusals.forget()
                self.buckets.requests.own.learn(None)
            self.buckets.hear(told, ticket, self.flying, now, self.window.pace, refused=refused)
        return told

    # ------------------------------------------------------------ to be looked at

    def state(self, now: float) -> PaceState:
        rates = [speed and round(60 * speed, 1) for speed in (bucket.own.speed for bucket in self.buckets.each)]
        return PaceState(
            model=self.model,
            in_flight=self.in_flight,
            window=self._most(now),
            requests_per_minute=rates[0],
            input_tokens_per_minute=rates[1],
            output_tokens_per_minute=rates[2],
            learned=self.source,
            waits=max(0.0, self.paused_until - now),
        )
