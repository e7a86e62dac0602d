"""Which requests go wrong, and how: seeded, so that the same job meets the same faults whatever its concurrency.

The first that applies decides: a marker in the prompt; `fault_at`; then chance. Chance is a hash of (seed, body,
faults this body had so far), not of the order of arrival, and after `max_faults_per_request` faults a body is
served: a client that retries so often always gets its answer. With `fault_rate` the kinds take turns, the one used
least next, so that all come up equally often (which request gets which kind then follows the order of arrival).
Kinds that need a stream are given only to requests that stream; where no kind applies, the request is served."""

from __future__ import annotations

import hashlib
from collections import Counter

from runner.simulator.asked import Asked
from runner.simulator.config import STREAM_KINDS, WHOLE_KINDS, SimulatorConfig
from runner.simulator.errors import Rejected
from runner.simulator.markers import asked_fault, number

_UNIT = 2**64

ERRORS: dict[str, tuple[int, str, str, str | None]] = {
    # kind: status, error.type, message, error.details.error_code; types and codes: `types/shared` of SDK 2.12.0
    "rate_limited": (429, "rate_limit_error", "Number of requests has exceeded your rate limit.", None),
    "overloaded": (529, "overloaded_error", "Overloaded", None),
    "server_error": (500, "api_error", "Internal server error", None),
    "invalid": (400, "invalid_request_error", "simulated: this request is invalid", None),
    "unauthorized": (401, "authentication_error", "invalid x-api-key", None),
    "permission": (403, "permission_error", "Your API key does not have permission to use the specified model.", None),
    "model_not_found": (404, "not_found_error", "model: {model}", None),
    "too_large": (413, "request_too_large", "Request exceeds the maximum size", None),
    "billing": (402, "billing_error", "There is a problem with your billing or payment information.", None),
    "spend_limit": (
        429, "rate_limit_error", "You have reached the monthly usage threshold of your API tier.",
        "enforced_spend_limit_reached",
    ),
    "usage_limit": (
        400, "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.", None,
    ),
    "on_hold": (400, "invalid_request_error", "This organization has been disabled.", "organization_on_hold"),
}  # fmt: skip


class FaultPlan:
    """Decides for each request; remembers how often each body and each kind came up."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._at = {ordinal: kind for kind, ordinals in config.fault_at.items() for ordinal in ordinals}
        self._faulted: Counter[int] = Counter()
        self._asked_for: Counter[int] = Counter()
        self._used: Counter[str] = Counter()

    def choose(self, asked: Asked, ordinal: int) -> str | None:
        """The fault kind of this request, None to serve it."""
        if (marked := asked_fault(asked.markers)) is not None:
            return self._marked(asked, *marked)
        kind = self._at.get(ordinal)
        if kind is not None:
            return kind if applies(kind, stream=asked.stream) else None
        if not (self._config.faults or self._config.fault_rate):
            return None
        return self._by_chance(asked)

    def _marked(self, asked: Asked, kind: str, value: str) -> str | None:
        if not applies(kind, stream=asked.stream):
            return None
        if kind == "refusal" and "claude-" in value:
            return kind if asked.model in [name.strip() for name in value.split(",")] else None
        times = number(value)
        if times is None or kind == "slow":
            return kind
        self._asked_for[asked.seed] += 1
        return kind if self._asked_for[asked.seed] <= times else None

    def _by_chance(self, asked: Asked) -> str | None:
        before = self._faulted[asked.seed]
        if before >= self._config.max_faults_per_request:
            return None
        kind = self._drawn(self._chance(asked.seed, before), asked.stream)
        if kind is not None:
            self._faulted[asked.seed] += 1
            self._used[kind] += 1
        return kind

    def _chance(self, seed: int, before: int) -> float:
        """A number in [0, 1) that depends on nothing but these and the configured seed."""
        digest = hashlib.blake2b(f"{self._config.seed} {seed} {before}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / _UNIT

    def _drawn(self, chance: float, stream: bool) -> str | None:
        if chance < self._config.fault_rate:
            kinds = [kind for kind in self._config.fault_kinds if applies(kind, stream=stream)]
            return min(kinds, key=lambda kind: self._used[kind], default=None)
        chance -= self._config.fault_rate
        for kind, probability in self._config.faults.items():
            if chance < probability:
                return kind if applies(kind, stream=stream) else None
            chance -= probability
        return None


def applies(kind: str, *, stream: bool) -> bool:
    return kind not in WHOLE_KINDS if stream else kind not in STREAM_KINDS


def error_of(kind: str, asked: Asked, config: SimulatorConfig) -> Rejected | None:
    """The error body of a fault that is one."""
    if kind not in ERRORS:
        return None
    status, type_, message, code = ERRORS[kind]
    headers = {"retry-after": str(config.fault_retry_after)} if kind == "rate_limited" else {}
    return Rejected(message.format(model=asked.model), status=status, type=type_, error_code=code, headers=headers)
