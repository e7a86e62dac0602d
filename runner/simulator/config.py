"""What a simulator is told to be: latency, limits, faults, the size of its log. Stdlib only, so that it imports at
once.

Must not import aiohttp, nor anything else that takes time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

RETRYABLE_KINDS = ("rate_limited", "overloaded", "server_error", "dropped", "cut_body", "timeout",
                   "stream_overload", "dropped_stream", "truncated_stream")  # fmt: skip
"""Faults after which sending the same request again may work."""

STREAM_KINDS = frozenset({"stream_overload", "dropped_stream", "truncated_stream"})
"""Faults that need an SSE reply; a request that does not stream never gets one."""

WHOLE_KINDS = frozenset({"cut_body"})
"""Faults that need a plain JSON reply; a streaming request never gets one."""

REPLY_KINDS = ("slow", "refusal", "malformed")
"""Answers with status 200 that are late, refused, or not JSON."""

ERROR_KINDS = ("invalid", "unauthorized", "permission", "model_not_found", "billing", "spend_limit", "usage_limit",
               "on_hold", "too_large")  # fmt: skip
"""Errors that sending again does not cure."""

FAULT_KINDS = (*RETRYABLE_KINDS, *REPLY_KINDS, *ERROR_KINDS)


@dataclass(frozen=True)
class SimulatorConfig:
    """How the simulator behaves; the default is an account without limits that never fails and answers at once.

    latency: seconds before the first byte of a reply or fault; errors of validation and limits come at once.
    jitter: share by which latency varies to either side, from request to request.
    cache_write_seconds: what a request takes longer that writes to the prompt cache; nobody reads it before.
    requests_per_minute, input_tokens_per_minute, output_tokens_per_minute: per model; None is no limit, no headers.
    burst_requests, burst_input_tokens, burst_output_tokens: what a full bucket holds; None is one minute's worth.
    limit_change: (seconds after the first request, factor): from then on limits and bursts are so many times as large.
    others: the share of every limit that somebody else on the account uses, evenly.
    limit_headers: whether a plain reply shows what remained when it ended or when its request came, or no reply nor 429
    shows anything. minute_headers: they tell of a whole minute's worth although bursts are smaller.
    retry_after: whether a 429 says how long to wait.
    faults: kind → probability; they sum to 1 or less.
    fault_rate, fault_kinds: this share of requests fails, and every kind comes up equally often.
    fault_at: kind → places among the POST /v1/messages requests, counted from 1 in order of arrival.
    max_faults_per_request: after so many faults for one body, the body is served (`fault_at` is not counted).
    fault_retry_after: seconds in the retry-after header of the `rate_limited` fault.
    slow_seconds: what `slow` adds. timeout_seconds: how long `timeout` stays silent before it hangs up.
    bedrock_ids: whether models go by Amazon Bedrock's ids as well; to the Claude API those are no models.
    seed: decides which requests `faults` and `fault_rate` hit. log_size: entries kept.
    """

    latency: float = 0.0
    jitter: float = 0.0
    cache_write_seconds: float = 0.02
    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    burst_requests: int | None = None
    burst_input_tokens: int | None = None
    burst_output_tokens: int | None = None
    limit_change: tuple[float, float] | None = None
    others: float = 0.0
    limit_headers: Literal["end", "start", "none"] = "end"
    minute_headers: bool = False
    retry_after: bool = True
    faults: Mapping[str, float] = field(default_factory=dict)
    fault_rate: float = 0.0
    fault_kinds: tuple[str, ...] = RETRYABLE_KINDS
    fault_at: Mapping[str, Sequence[int]] = field(default_factory=dict)
    max_faults_per_request: int = 2
    fault_retry_after: int = 1
    slow_seconds: float = 1.0
    timeout_seconds: float = 3600.0
    bedrock_ids: bool = False
    seed: int = 0
    log_size: int = 10_000

    def __post_init__(self) -> None:
        """ValueError for a fault kind that does not exist, a probability outside 0–1, or a limit below 1."""
        unknown = {*self.faults, *self.fault_kinds, *self.fault_at}.difference(FAULT_KINDS)
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULT_KINDS)}")
        if not (0 <= sum(self.faults.values()) + self.fault_rate <= 1) or min(self.faults.values(), default=0) < 0:
            raise ValueError("fault probabilities must lie between 0 and 1 and sum to at most 1")
        if any(limit is not None and limit < 1 for limit in self._limits()):
            raise ValueError("limits and bursts must be 1 or more")
        if not (0 <= self.others < 1 and 0 <= self.jitter <= 1):
            raise ValueError("somebody else's share must be 0 or more and less than 1, and jitter between 0 and 1")
        if self.limit_change is not None and min(self.limit_change) <= 0:
            raise ValueError("limits must change after some seconds, to more than nothing")

    def _limits(self) -> tuple[int | None, ...]:
        return (
            self.requests_per_minute,
            self.input_tokens_per_minute,
            self.output_tokens_per_minute,
            self.burst_requests,
            self.burst_input_tokens,
            self.burst_output_tokens,
        )
