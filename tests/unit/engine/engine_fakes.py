"""A pretend API and a pretend store for the engine: plain objects that remember what they were asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from virtual_time import LoopClock, run_virtually

from runner.engine.live import Ended, Stop, run_live
from runner.records import (
    Attempt,
    AttemptEnded,
    Call,
    Event,
    Failure,
    Outcome,
    Reply,
    Request,
    Result,
    RetryPolicy,
    Source,
)

OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-5-5"


def request(n: int, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "id": f"row-{n}", "cell": {}, "repeat": 0, "key": f"key-{n}", "model": OPUS, "max_tokens": 100,
        "body": b"{}", "source": Source("rows.csv", n + 2),
    }  # fmt: skip
    return Request(n=n, **{**fields, **changes})


def requests(count: int, **changes: Any) -> Iterator[Request]:
    return (request(n, **changes) for n in range(count))


def reply(text: str = "hello", **changes: Any) -> Reply:
    message = {
        "type": "message",
        "model": OPUS,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1000, "output_tokens": 500},
    }
    return Reply({**message, **changes}, request_id="req_1", headers={"request-id": "req_1"})


def failure(kind: str, **changes: Any) -> Failure:
    return Failure(kind, **{"message": f"a {kind}", **changes})  # type: ignore[arg-type]


@dataclass
class FakeApi:
    """Answers request n with its own list of outcomes, one an attempt, then with `otherwise`. Takes `seconds` each."""

    script: dict[int, list[Outcome]] = field(default_factory=dict)
    otherwise: Callable[[Request], Outcome] = lambda request: reply()
    seconds: float = 1.0
    slow: dict[int, float] = field(default_factory=dict)
    sent: list[tuple[int, float]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def __call__(self, request: Request) -> Outcome:
        self.sent.append((request.n, LoopClock().now()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.slow.get(request.n, self.seconds))
        finally:
            self.in_flight -= 1
        outcomes = self.script.get(request.n)
        return outcomes.pop(0) if outcomes else self.otherwise(request)

    @property
    def order(self) -> list[int]:
        return [n for n, _ in self.sent]

    def times(self, n: int) -> list[float]:
        return [at for sent, at in self.sent if sent == n]


@dataclass
class FakeSink:
    """Remembers each line with its kind. A line it is told to break on raises instead.

    calls: (request, call, attempt) of everything that was sent.
    """

    lines: list[tuple[str, int, Any]] = field(default_factory=list)
    calls: list[tuple[int, int, int]] = field(default_factory=list)
    break_on: Callable[[str, int], Exception | None] = lambda kind, n: None

    def sent(self, request: Request, attempt: int, at: str, may_cost: float | None, call: int) -> None:
        self.write("sent", request.n, (attempt, at, may_cost))
        self.calls.append((request.n, call, attempt))

    def attempt_failed(self, request: Request, attempt: Attempt, call: int) -> None:
        self.write("failed", request.n, attempt)

    def replied(self, request: Request, answer: Call, call: int) -> None:
        self.write("reply", request.n, (call, answer))

    def done(self, result: Result) -> None:
        self.write("done", result.request.n, result)

    async def settled(self) -> None:
        """What is in `lines` is safe."""

    def overhead_sent(self, prefix: str, request: Request, at: str, may_cost: float | None) -> None:
        self.write("overhead_sent", request.n, (prefix, request, may_cost))

    def overhead(self, prefix: str, request: Request, call: Call | None, failure: Failure | None) -> None:
        self.write("overhead", request.n, (prefix, call, failure))

    def write(self, kind: str, n: int, what: Any) -> None:
        error = self.break_on(kind, n)
        if error:
            raise error
        self.lines.append((kind, n, what))

    def of(self, kind: str) -> list[Any]:
        return [what for line, _, what in self.lines if line == kind]

    @property
    def results(self) -> dict[int, Result]:
        return {result.request.n: result for result in self.of("done")}


@dataclass
class Played:
    """What came of a run. duration: virtual seconds."""

    ended: Ended | None
    api: FakeApi
    sink: FakeSink
    events: list[Event]
    duration: float
    error: BaseException | None = None

    @property
    def results(self) -> dict[int, Result]:
        return self.sink.results

    @property
    def statuses(self) -> dict[int, str]:
        return {n: result.status for n, result in sorted(self.results.items())}

    @property
    def attempts(self) -> list[AttemptEnded]:
        return [event for event in self.events if isinstance(event, AttemptEnded)]


def play(
    rows: Iterable[Request],
    api: FakeApi | None = None,
    *,
    sink: FakeSink | None = None,
    concurrency: int | None = 4,
    retry: RetryPolicy | None = None,
    stop: Stop | None = None,
    later: Callable[[asyncio.AbstractEventLoop, Stop], None] = lambda loop, stop: None,
    observe: Callable[[Event], None] | None = None,
    seed: int = 7,
    **calls: Any,
) -> Played:
    """Run the engine in virtual time. later: plants timers, such as a Ctrl-C after three seconds."""
    played = Played(None, api or FakeApi(), sink or FakeSink(), [], 0.0)
    stop = stop or Stop()

    async def main() -> Ended:
        later(asyncio.get_running_loop(), stop)
        try:
            return await run_live(
                iter(rows), send=played.api, sink=played.sink, concurrency=concurrency, retry=retry or RetryPolicy(),
                clock=LoopClock(), rng=random.Random(seed), stop=stop, observe=observe or played.events.append,
                **calls,
            )  # fmt: skip
        finally:
            played.duration = LoopClock().now()

    try:
        played.ended = run_virtually(main())
    except Exception as error:
        played.error = error
    return played
