"""How a run ended, as one frozen record: `store` fills it from what is on disk, `report` renders it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.models.usage import Tokens
from runner.records import Limit


@dataclass(frozen=True, slots=True)
class Group:
    """Requests without a good answer that share a cause.

    status: a result's status. kind: the failure's kind, else the stop reason or refusal category, "" when unknown.
    message: that of the example. example: the id of one of them; `count` of them in all.
    """

    status: str
    kind: str
    message: str
    count: int
    example: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What was asked of the results and whether it holds. wanted: as written; got: percent."""

    name: str
    wanted: str
    got: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person or a scheduler wants to know of a run. Money is US dollars; None means no known price.

    total: requests of the plan. results: those with a result on disk; good: those with a good answer.
    finished: every request has a result and running again would not help. end: `complete`, `interrupted`, ….
    left: requests without a result; transient: failed ones that may succeed when the same command is run again.
    to_send: what running it again would send of an unfinished run; failed_to_send: those of them that have failed.
    cost_usd: what this run paid in all its sittings; priced_usd: the part with a known price. maybe_billed: attempts
    sent whose outcome is unknown, and their cost at reservation. assumed_usd: what was reserved for answers without a
    known price. cache_writes, cache_reads: requests that did; cache_audit: what should have been shared and was not, a
    line each; cache_miss_reasons: what the API said when it was asked. seconds: of work in all sittings.
    continued: whether there was an earlier sitting. checks: those the job has written.
    max_cost_usd: the cap on all sittings, None without one. limit: of the user's, the one that ended this sitting.
    reused: answers of another request; identical: those of them whose request is in this run; sent: requests that were
    sent at least once. overhead: cache warm-ups that were answered, in requests and in their cost (part of cost_usd).
    """

    job: str
    run: str
    folder: str
    total: int
    results: int
    good: int
    finished: bool
    end: str = "complete"
    simulated: bool = False
    limited: bool = False
    ordered: bool = True
    continued: bool = False
    left: int = 0
    transient: int = 0
    to_send: int = 0
    failed_to_send: int = 0
    reused: int = 0
    identical: int = 0
    sent: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    tokens: Tokens = Tokens()  # noqa: RUF009 (a tuple: it cannot change)
    cost_usd: float | None = None
    priced_usd: float = 0.0
    unpriced_models: tuple[str, ...] = ()
    maybe_billed_attempts: int = 0
    maybe_billed_usd: float | None = 0.0
    assumed_usd: float = 0.0
    overhead_requests: int = 0
    overhead_usd: float | None = 0.0
    cache_hit_rate: float | None = None
    cache_saved_usd: float | None = None
    cache_writes: int = 0
    cache_reads: int = 0
    cache_miss_reasons: Mapping[str, int] = field(default_factory=dict)
    cache_audit: tuple[str, ...] = ()
    retries: int = 0
    seconds: float = 0.0
    latency_p50: float | None = None
    notes: tuple[str, ...] = ()
    max_cost_usd: float | None = None
    limit: Limit | None = None
    checks: tuple[Check, ...] = ()

    @property
    def left_usd(self) -> float | None:
        """What is left of the cap; what may have been billed counts as spent, at what was reserved for it."""
        if self.max_cost_usd is None:
            return None
        return max(0.0, self.max_cost_usd - self.priced_usd - (self.maybe_billed_usd or 0.0) - self.assumed_usd)

    @property
    def all_good(self) -> bool:
        return self.good == self.total

    @property
    def passed(self) -> bool:
        """Whether the job's checks hold; without any, whether every answer is good."""
        return all(check.passed for check in self.checks) if self.checks else self.all_good

    def to_json(self) -> dict[str, Any]:
        """One flat JSON object, as `--format json` prints it; field names are those of this record."""
        tree = {name: getattr(self, name) for name in self.__slots__}
        return tree | {
            "by_status": dict(self.by_status),
            "groups": [{name: getattr(group, name) for name in group.__slots__} for group in self.groups],
            "tokens": self.tokens.to_json(),
            "cache_miss_reasons": dict(self.cache_miss_reasons),
            "cache_audit": list(self.cache_audit),
            "checks": [{name: getattr(check, name) for name in check.__slots__} for check in self.checks],
            "unpriced_models": list(self.unpriced_models),
            "limit": self.limit and self.limit.to_json(),
            "left_usd": self.left_usd,
            "notes": list(self.notes),
        }
