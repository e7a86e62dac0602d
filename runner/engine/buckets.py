"""All limits of one model: what a request takes of each, and what replies and refusals tell of them.

Pure arithmetic: seconds come in as arguments; knows nothing of who may start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runner.engine.bucket import Bucket, Mark
from runner.engine.needs import Needs, Ticket
from runner.engine.told import INPUT, KINDS, OUTPUT, REQUESTS, TOKENS, Told
from runner.spec.job import Limits

UNIT_SHARE: Final = 0.05


@dataclass(slots=True)
class Buckets:
    """each: in the order of `told.KINDS`; the last, of all tokens together, only once it was told. told: any was."""

    each: list[Bucket] = field(default_factory=lambda: [Bucket(late=kind == OUTPUT) for kind in KINDS[:-1]])
    told: bool = False

    @property
    def requests(self) -> Bucket:
        return self.each[0]

    @property
    def capped(self) -> bool:
        return any(bucket.own.cap for bucket in self.each)

    def cap(self, limits: Limits) -> None:
        """Stay below these, too."""
        written = (limits.requests_per_minute, limits.input_tokens_per_minute, limits.output_tokens_per_minute)
        for bucket, limit in zip(self.each, written, strict=False):
            bucket.own.limited_to(limit)

    def wait(self, needs: Needs, now: float) -> float:
        """Seconds until a request fits into all."""
        seconds = 0.0
        for bucket, need in zip(self.each, needs, strict=False):
            if bucket.own.speed is not None:
                bucket.refill(now)
                seconds = max(seconds, bucket.wait(need))
        return seconds

    # ------------------------------------------------------------ requests

    def take(self, needs: Needs, now: float) -> list[Mark]:
        return [bucket.take(need, now) for bucket, need in zip(self.each, needs, strict=False)]

    def settle(self, needs: Needs, paid: Needs, now: float) -> None:
        """A request that took `needs` used `paid`."""
        for bucket, need, used in zip(self.each, needs, paid, strict=False):
            bucket.refill(now)
            bucket.settle(need, used)

    def give_back(self, ticket: Ticket, now: float) -> None:
        """A request was refused. It saw no other buckets for that than had it never been taken."""
        for place, (bucket, mark, need) in enumerate(zip(self.each, ticket.marks, ticket.needs, strict=False)):
            bucket.refill(now)
            bucket.give_back(need)
            ticket.marks[place] = mark._replace(level=mark.level + need)

    def reckon_with(self, before: Needs, needs: Needs) -> None:
        """A request in flight that took `before` is now believed to need `needs`."""
        for bucket, was, need in zip(self.each, before, needs, strict=False):
            if need != was:
                bucket.reckon_with(was, need)

    def learn(self, used: Needs, spread: float, *, first: bool) -> None:
        """A reply used so much. spread: by how much outputs differ."""
        for bucket, amount in zip(self.each, used, strict=False):
            bucket.unit = amount if first else bucket.unit + UNIT_SHARE * (amount - bucket.unit)
        self.each[2].spread = spread

    # ------------------------------------------------------------ headers

    def hear(
        self, told: Mapping[str, Told], ticket: Ticket, flying: Iterable[Ticket], now: float, latency: float,
        *, refused: bool,
    ) -> None:  # fmt: skip
        """Headers of a request's reply, or of its refusal, which took nothing; after it was settled."""
        self.told = self.told or bool(told)
        if TOKENS in told and len(self.each) < len(KINDS):
            self.each.append(Bucket())
            for one in {ticket, *flying}:
                one.marks.append(Mark(one.at, 0.0, 0.0, -1, 0.0))
        for place, (kind, bucket, mark) in enumerate(zip(KINDS, self.each, ticket.marks, strict=False)):
            if kind not in told:
                continue
            bucket.refill(now)
            after = 0.0
            if bucket.rate is None:
                after = sum(other.needs[place] for other in flying if other.at >= ticket.at and other is not ticket)
            bucket.told(told[kind], mark, 0.0 if refused else ticket.needs[place], now, after, latency)

    def lacking(self, told: Mapping[str, Told], needs: Needs) -> list[Bucket]:
        """Those for want of which a request was refused, as far as headers say so."""
        found = zip(KINDS, self.each, needs, strict=False)
        return [bucket for kind, bucket, need in found if bucket.lacked(told.get(kind), need)]

    def named_in(self, message: str) -> Bucket:
        """Which one a 429 is about, by the words the API uses."""
        kind = REQUESTS
        if "output tokens" in message:
            kind = OUTPUT
        elif "input tokens" in message or "prompt bytes" in message:
            kind = INPUT
        return self.each[KINDS.index(kind)]
