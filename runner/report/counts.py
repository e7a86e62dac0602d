"""What a job that is being sent amounts to so far, counted from its events; and that in a line for people.

Rates are over the last minute. Prints nothing; the clock is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runner.records import AttemptEnded, Event, Json, RequestDone, Sending, SendingBegan
from runner.report.words import duration, money

SECONDS = 60
"""How far back the rates look."""


@dataclass(slots=True)
class Second:
    """What happened within one second of the clock. input: tokens that count against a limit, so none read."""

    at: int
    requests: int = 0
    input: int = 0
    output: int = 0
    done: int = 0


@dataclass
class Counts:
    """Subscribes to a job's events. total: requests of the plan; done: those that have a result."""

    total: int
    now: Callable[[], float]
    done: int = 0
    good: int = 0
    failed: int = 0
    retries: int = 0
    read: int = 0
    prompt: int = 0
    sending: Sending | None = None
    seconds: deque[Second] = field(default_factory=deque)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.now()

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptEnded):
            self._attempt(event)
        elif isinstance(event, RequestDone):
            self.done += 1
            self.good += event.result.good
            self.failed += event.result.status == "failed"
            self._second().done += 1
        elif isinstance(event, SendingBegan):
            self.sending = event.sending

    def _attempt(self, event: AttemptEnded) -> None:
        self.retries += event.waiting is not None
        second = self._second()
        second.requests += 1
        if event.usage:
            read, written = _tokens(event.usage, "cache_read"), _tokens(event.usage, "cache_creation")
            plain = _number(event.usage.get("input_tokens"))
            self.read += read
            self.prompt += read + written + plain
            second.input += written + plain
            second.output += _number(event.usage.get("output_tokens"))

    def _second(self) -> Second:
        at = int(self.now())
        if not self.seconds or self.seconds[-1].at != at:
            self.seconds.append(Second(at))
            while self.seconds[0].at < at - SECONDS:
                self.seconds.popleft()
        return self.seconds[-1]

    def per_minute(self, name: str) -> float:
        """How many of these (a field of `Second`) a minute, over the last minute or since it began."""
        now = self.now()
        span = min(float(SECONDS), max(1.0, now - self.began))
        return sum(float(getattr(second, name)) for second in self.seconds if second.at > now - span - 1) * 60 / span

    @property
    def seconds_left(self) -> float | None:
        """None while nothing is done yet."""
        rate = self.per_minute("done")
        return (self.total - self.done) * 60 / rate if rate else None


def _tokens(usage: Mapping[str, Json], kind: str) -> int:
    return _number(usage.get(f"{kind}_input_tokens"))


def _number(value: Json) -> int:
    return value if type(value) is int else 0


# ---------------------------------------------------------------- words


def counts_text(counts: Counts) -> str:
    """`12 good, 1 failed, 5 in flight, 118 of 1,200 req/min, …`: what stands behind a bar or in a line of its own."""
    parts = [f"{counts.good:,} good"]
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    parts += [f"{counts.retries:,} retries"] if counts.retries else []
    parts += [f"{counts.sending.in_flight:,} in flight"] if counts.sending else []
    parts += [*rates(counts), *paused(counts)]
    parts += [f"cache {counts.read / counts.prompt:.0%}"] if counts.read else []
    parts += [f"{money(counts.sending.spent_usd)} spent"] if counts.sending and counts.sending.spent_usd else []
    return ", ".join(parts)


def left_text(counts: Counts) -> str:
    """`, 3 min 05 s left`, or nothing while nobody knows."""
    left = counts.seconds_left
    return f", about {duration(left)} left" if left and counts.done < counts.total else ""


def rates(counts: Counts) -> list[str]:
    """Requests and tokens a minute, each against the limit of the models together where one is known."""
    paces = counts.sending.paces() if counts.sending else ()
    texts = []
    for name, word in (("requests", "req/min"), ("input", "in/min"), ("output", "out/min")):
        field_name = "requests_per_minute" if name == "requests" else f"{name}_tokens_per_minute"
        limits = [getattr(pace, field_name) for pace in paces]
        rate = counts.per_minute(name)
        known = [limit for limit in limits if limit is not None]
        if name == "requests" or (known and rate):
            of = f" of {short(sum(known))}" if known and len(known) == len(limits) else ""
            texts.append(f"{short(rate)}{of} {word}")
    return texts


def paused(counts: Counts) -> list[str]:
    waits = max((pace.waits for pace in counts.sending.paces()), default=0.0) if counts.sending else 0.0
    return [f"paused {duration(waits)}"] if waits >= 1 else []


def short(number: float) -> str:
    """`940`, `1,200`, `35k`, `1.2M`."""
    if number < 9_999.5:
        return f"{number:,.0f}"
    return f"{number / 1e3:,.0f}k" if number < 999_500 else f"{number / 1e6:.1f}M"
