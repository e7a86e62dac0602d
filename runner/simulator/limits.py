"""Rate limits as the API keeps them: a token bucket per model for requests, input tokens and output tokens.

https://platform.claude.com/docs/en/api/rate-limits: buckets refill continuously; input counts `input_tokens` and
cache writes but not cache reads; output counts what was produced, not max_tokens; 429 carries `retry-after`; the
headers' `reset` is when the bucket is full again (RFC 3339), token remainders are rounded to thousands, and the
`tokens-*` ones sum up input and output. Guesses: a refused request costs nothing, a bucket holds a minute's worth
unless told otherwise, small remainders are exact, a request larger than the whole bucket passes when the bucket is
full, and output is paid after the fact. What the headers show, and when it is counted, is documented nowhere: the
config has the ways that other servers do it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.simulator.config import SimulatorConfig
from runner.simulator.errors import Rejected

ROUNDED_FROM = 10_000
_WORDS = {"requests": "requests", "input-tokens": "input tokens", "output-tokens": "output tokens"}


@dataclass
class Bucket:
    """`level` of `capacity` at `at` (seconds), refilled at `limit` a minute; it may be overdrawn.

    others: the share of the refill that somebody else takes.
    """

    limit: int
    capacity: float
    at: float
    level: float
    others: float = 0.0

    def refill(self, now: float) -> None:
        gained = max(0.0, now - self.at) * self.limit / 60 * (1 - self.others)
        self.level = min(self.capacity, self.level + gained)
        self.at = max(now, self.at)

    def change(self, factor: float) -> None:
        """Another limit from now on."""
        self.limit = max(1, round(self.limit * factor))
        self.capacity = max(1.0, self.capacity * factor)
        self.level = min(self.level, self.capacity)

    def wait(self, amount: float) -> float:
        """Seconds until so much can be taken, 0 when it can be now."""
        return max(0.0, (min(amount, self.capacity) - self.level) * 60 / self.limit / (1 - self.others))

    def full_in(self) -> float:
        return (self.capacity - self.level) * 60 / self.limit


class Limits:
    """The buckets of every model asked so far. clock: seconds since 1970.

    shown: those that headers tell of, where these are others.
    """

    def __init__(self, config: SimulatorConfig, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sizes = [
            (name, limit, burst or limit)
            for name, limit, burst in (
                ("requests", config.requests_per_minute, config.burst_requests),
                ("input-tokens", config.input_tokens_per_minute, config.burst_input_tokens),
                ("output-tokens", config.output_tokens_per_minute, config.burst_output_tokens),
            )
            if limit is not None
        ]
        self._models: dict[str, dict[str, Bucket]] = {}
        self._shown: dict[str, dict[str, Bucket]] = {}
        self._config = config
        self._change_at: float | None = None
        self._changed = config.limit_change is None

    def take(self, model: str, input_tokens: int) -> dict[str, str]:
        """Take a request and its input, or raise Rejected 429 with retry-after; both with the limits' headers."""
        if not self._sizes:
            return {}
        buckets = self._refilled(model)
        needs = {"requests": 1, "input-tokens": input_tokens, "output-tokens": 1}
        waits = {name: bucket.wait(needs[name]) for name, bucket in buckets.items()}
        longest = max(waits, key=lambda name: waits[name])
        if waits[longest] > 0:
            raise self._rejected(model, longest, waits[longest])
        for name in ("requests", "input-tokens"):
            self._take(model, name, needs[name])
        return self._headers(model)

    def spend(self, model: str, output_tokens: int) -> dict[str, str]:
        """Take what was produced; the headers as they are then."""
        if not self._sizes:
            return {}
        self._refilled(model)
        self._take(model, "output-tokens", output_tokens)
        return self._headers(model)

    def _take(self, model: str, name: str, amount: float) -> None:
        for buckets in (self._models[model], self._shown.get(model, {})):
            if name in buckets:
                buckets[name].level -= amount

    def _refilled(self, model: str) -> dict[str, Bucket]:
        now = self._clock()
        if model not in self._models:
            self._open(model, now)
        self._change(now)
        for bucket in (*self._models[model].values(), *self._shown.get(model, {}).values()):
            bucket.refill(now)
        return self._models[model]

    def _open(self, model: str, now: float) -> None:
        others = self._config.others
        factor = self._config.limit_change[1] if self._changed and self._config.limit_change else 1.0
        self._models[model] = {name: Bucket(limit, burst, now, burst, others) for name, limit, burst in self._sizes}
        if self._config.minute_headers:
            self._shown[model] = {name: Bucket(limit, limit, now, limit, others) for name, limit, _ in self._sizes}
        if factor != 1.0:
            self._each(lambda bucket: bucket.change(factor), [model])

    def _change(self, now: float) -> None:
        """Once the time has come, every limit becomes another one."""
        if self._changed or self._config.limit_change is None:
            return
        seconds, factor = self._config.limit_change
        if self._change_at is None:
            self._change_at = now + seconds
        if now >= self._change_at:
            moment, self._changed = self._change_at, True
            self._each(lambda bucket: bucket.refill(moment), self._models)
            self._each(lambda bucket: bucket.change(factor), self._models)

    def _each(self, do: Callable[[Bucket], None], models: Iterable[str]) -> None:
        for model in models:
            for bucket in (*self._models[model].values(), *self._shown.get(model, {}).values()):
                do(bucket)

    def _rejected(self, model: str, name: str, wait: float) -> Rejected:
        buckets = self._models[model]
        message = (
            f"This request would exceed your organization's rate limit of {buckets[name].limit:,} {_WORDS[name]} per "
            f"minute (model: {model}). For details, refer to: https://docs.claude.com/en/api/rate-limits."
        )
        after = {"retry-after": str(math.ceil(wait))} if self._config.retry_after else {}
        headers = {**after, **self._headers(model)}
        return Rejected(message, status=429, type="rate_limit_error", headers=headers)

    def _headers(self, model: str) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self._config.limit_headers == "none":
            return headers
        buckets = self._shown.get(model) or self._models[model]
        for name, bucket in buckets.items():
            headers.update(_shown(name, bucket.limit, bucket.level, bucket.at + bucket.full_in()))
        tokens = [bucket for name, bucket in buckets.items() if name != "requests"]
        if tokens:
            level = sum(bucket.level for bucket in tokens)
            full = max(bucket.at + bucket.full_in() for bucket in tokens)
            headers.update(_shown("tokens", sum(bucket.limit for bucket in tokens), level, full))
        return headers


def _shown(name: str, limit: int, level: float, full: float) -> dict[str, str]:
    left = max(0, math.floor(level))
    if name != "requests" and limit >= ROUNDED_FROM:
        left = round(left, -3)
    prefix = f"anthropic-ratelimit-{name}"
    return {f"{prefix}-limit": str(limit), f"{prefix}-remaining": str(left), f"{prefix}-reset": timestamp(full)}


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, rounded up to a whole second."""
    return datetime.fromtimestamp(math.ceil(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
