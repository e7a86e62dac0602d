"""A small world for the pacer: a server with token buckets of its own, a network, a clock that jumps between events.

Shares no code with the engine or the simulator, so that a mistake in one is not a mistake in the other.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from engine_fakes import request

from runner.engine.pace import Pace
from runner.records import Failure

KINDS = ("requests", "input-tokens", "output-tokens")


@dataclass
class ServerBucket:
    rate: float
    size: float
    limit: int
    level: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.size

    def refill(self, now: float) -> None:
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now


@dataclass
class World:
    """A server and the way to it.

    limits: kind → a minute; bursts: kind → what a full bucket holds. said: kind → the limit that headers tell, when it
    is another one; then what they say remains is of a bucket of that size. at_end: headers show the buckets at the end
    of a reply, otherwise when the request came. latency, jitter: of a reply; way: seconds to the server and back, each.
    others: requests a second of somebody else. change: (at, factor on all limits). retry_after: `seconds`, `exact`
    or None.
    """

    limits: dict[str, float]
    bursts: dict[str, float] = field(default_factory=dict)
    said: dict[str, float] = field(default_factory=dict)
    headers: bool = True
    at_end: bool = True
    latency: float = 0.2
    jitter: float = 0.0
    way: float = 0.002
    way_jitter: float = 0.002
    others: float = 0.0
    change: tuple[float, float] | None = None
    retry_after: str | None = "seconds"
    output: Callable[[random.Random], int] = lambda rng: 50
    input: Callable[[random.Random], int] = lambda rng: 100
    seed: int = 0


@dataclass
class Seen:
    """What came of it. starts: when the server got each request; most_over: how far a bucket was overdrawn."""

    seconds: float = 0.0
    refused: int = 0
    attempts: int = 0
    failed: int = 0
    episodes: int = 0
    most_in_flight: int = 0
    starts: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.refused / self.attempts


class Play:
    """n requests through a Pace, against the world."""

    def __init__(self, world: World, n: int, pace: Pace | None = None, *, most: int = 500, tries: int = 6) -> None:
        self.world, self.pace, self.most, self.tries = world, pace or Pace("m"), most, tries
        self.rng = random.Random(world.seed)
        self.buckets = {
            kind: ServerBucket(limit / 60, world.bursts.get(kind, limit), int(limit))
            for kind, limit in world.limits.items()
        }
        self.shown = {kind: ServerBucket(limit / 60, limit, int(limit)) for kind, limit in world.said.items()}
        self.todo: deque[tuple[int, int, int, int]] = deque()
        for k in range(n):
            self.todo.append((k, 1, self.world.input(self.rng), self.world.output(self.rng)))
        self.again: list[tuple[float, int, tuple[int, int, int, int]]] = []
        self.events: list[tuple[float, int, Callable[[float], None]]] = []
        self.order = count()
        self.left = n
        self.seen = Seen()
        self.now = 0.0
        self.wake: float | None = None
        if world.others:
            self.later(self.rng.random() / world.others, self.other)
        if world.change:
            self.later(world.change[0], self.changed)

    def later(self, seconds: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.order), what))

    def run(self, longest: float = 10_000.0) -> Seen:
        self.dispatch(0.0)
        while self.left and self.events:
            self.now, _, what = heapq.heappop(self.events)
            if self.now > longest:
                raise AssertionError(f"{self.left} requests are left after {longest} seconds")
            what(self.now)
        assert not self.left, "everything waits and nothing is ever going to happen"
        self.seen.seconds = self.now
        return self.seen

    # ------------------------------------------------------------ the server

    def other(self, now: float) -> None:
        self.refill(now)
        if all(bucket.level >= 1 for bucket in self.buckets.values()):
            for kind, bucket in self.buckets.items():
                bucket.level -= {"requests": 1, "input-tokens": 100, "output-tokens": 50, "tokens": 150}[kind]
        self.later((0.5 + self.rng.random()) / self.world.others, self.other)

    def changed(self, now: float) -> None:
        assert self.world.change
        self.refill(now)
        factor = self.world.change[1]
        for bucket in (*self.buckets.values(), *self.shown.values()):
            bucket.rate, bucket.limit = bucket.rate * factor, int(bucket.limit * factor)
            bucket.size *= factor
            bucket.level = min(bucket.level, bucket.size)

    def refill(self, now: float) -> None:
        for bucket in (*self.buckets.values(), *self.shown.values()):
            bucket.refill(now)

    def headers(self) -> dict[str, str]:
        if not self.world.headers:
            return {}
        told = {}
        for kind, real in self.buckets.items():
            bucket = self.shown.get(kind, real)
            left = max(0, math.floor(bucket.level))
            if kind != "requests" and bucket.limit >= 10_000:
                left = round(left, -3)
            told[f"anthropic-ratelimit-{kind}-limit"] = str(bucket.limit)
            told[f"anthropic-ratelimit-{kind}-remaining"] = str(left)
        return told

    def arrives(self, now: float, ticket: Any, row: tuple[int, int, int, int], back: float) -> None:
        self.refill(now)
        self.seen.starts.append(now)
        tokens_in = row[2]
        needs = {"requests": 1.0, "input-tokens": tokens_in, "output-tokens": 1.0, "tokens": tokens_in}
        waits = [(min(needs[kind], bucket.size) - bucket.level) / bucket.rate for kind, bucket in self.buckets.items()]
        wait = max(waits, default=0.0)
        if wait > 0:
            after = {"seconds": float(math.ceil(wait)), "exact": wait, None: None}[self.world.retry_after]
            failure = Failure("rate_limited", "too many", 429, retry_after=after, headers=self.headers())
            self.later(back, lambda now: self.refused(now, ticket, row, failure))
            return
        for bucket in (self.buckets, self.shown):
            for kind in ("requests", "input-tokens", "tokens"):
                if kind in bucket:
                    bucket[kind].level -= needs[kind]
        admitted = self.headers()
        seconds = self.world.latency * (1 + self.world.jitter * (2 * self.rng.random() - 1))
        self.later(seconds, lambda now: self.ends(now, ticket, row, admitted, back))

    def ends(
        self, now: float, ticket: Any, row: tuple[int, int, int, int], admitted: dict[str, str], back: float
    ) -> None:
        self.refill(now)
        for buckets in (self.buckets, self.shown):
            for kind in {"output-tokens", "tokens"} & buckets.keys():
                buckets[kind].level -= row[3]
        headers = self.headers() if self.world.at_end else admitted
        usage = {"input_tokens": row[2], "output_tokens": row[3]}
        self.later(back, lambda now: self.answered(now, ticket, usage, headers))

    # ------------------------------------------------------------ the client

    def answered(self, now: float, ticket: Any, usage: dict[str, int], headers: dict[str, str]) -> None:
        self.pace.answered(ticket, usage, headers, now)
        self.left -= 1
        self.dispatch(now)

    def refused(self, now: float, ticket: Any, row: tuple[int, int, int, int], failure: Failure) -> None:
        self.seen.refused += 1
        before = self.pace.brake.began
        self.pace.limited(ticket, failure, now)
        self.seen.episodes += self.pace.brake.began != before
        if row[1] >= self.tries:
            self.seen.failed += 1
            self.left -= 1
        else:
            wait = failure.retry_after
            if wait is None:
                wait = min(60.0, 2.0 ** (row[1] - 1)) * (0.5 + 0.5 * self.rng.random())
            heapq.heappush(self.again, (now + wait, next(self.order), (row[0], row[1] + 1, row[2], row[3])))
            self.later(wait, self.dispatch)
        self.dispatch(now)

    def dispatch(self, now: float) -> None:
        while True:
            due = self.again and self.again[0][0] <= now
            if not due and not self.todo:
                return
            if self.pace.in_flight >= self.most:
                return
            row = self.again[0][2] if due else self.todo[0]
            asked = request(row[0], body=b"x" * int(row[2] * 4.2))
            needs = self.pace.needs(asked, 0)
            wait = self.pace.wait(needs, now)
            if wait > 0:
                assert wait < math.inf or self.pace.in_flight, "nothing is in flight and nothing may start"
                self.sleep(now, wait)
                return
            if due:
                heapq.heappop(self.again)
            else:
                self.todo.popleft()
            ticket = self.pace.take(asked, needs, now)
            self.seen.attempts += 1
            self.seen.most_in_flight = max(self.seen.most_in_flight, self.pace.in_flight)
            there = self.world.way + self.world.way_jitter * self.rng.random()
            self.later(there, lambda now, t=ticket, r=row, b=there: self.arrives(now, t, r, b))  # type: ignore[misc]

    def sleep(self, now: float, wait: float) -> None:
        if wait == math.inf or (self.wake is not None and now < self.wake <= now + wait):
            return
        self.wake = now + wait
        self.later(wait, self.dispatch)
