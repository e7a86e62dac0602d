"""What sending makes: attempts, and the replies and failures that they end in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from runner.records.requests import Json

FailureKind: TypeAlias = Literal[
    "rate_limited", "overloaded", "server_error", "timeout", "connection", "truncated_stream",
    "invalid_request", "too_large", "bad_row", "malformed_reply",
    "model_not_found", "permission", "repeated_invalid_request",
    "authentication", "billing", "spend_limit", "organization",
]  # fmt: skip
Scope: TypeAlias = Literal["attempt", "request", "lane", "run"]

FAILURE_SCOPES: Mapping[str, Scope] = MappingProxyType(
    {
        **dict.fromkeys(
            ("rate_limited", "overloaded", "server_error", "timeout", "connection", "truncated_stream"), "attempt"
        ),
        **dict.fromkeys(("invalid_request", "too_large", "bad_row", "malformed_reply"), "request"),
        **dict.fromkeys(("model_not_found", "permission", "repeated_invalid_request"), "lane"),
        **dict.fromkeys(("authentication", "billing", "spend_limit", "organization"), "run"),
    }
)
"""What a failure ends: an attempt (try again), its request, every request to that model (a lane), or the run."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not bring a reply.

    message: one line for people, without secrets. error_type: the API's `error_code`, else its `error.type`.
    retry_after: seconds the server asked for. maybe_billed: the request was sent and its outcome is unknown.
    """

    kind: FailureKind
    message: str
    http_status: int | None = None
    error_type: str | None = None
    retry_after: float | None = None
    request_id: str | None = None
    maybe_billed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        return FAILURE_SCOPES[self.kind]

    @property
    def retryable(self) -> bool:
        return self.scope == "attempt"

    @property
    def ends_lane(self) -> bool:
        return self.scope == "lane"

    @property
    def ends_run(self) -> bool:
        return self.scope == "run"

    def to_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind,
            "message": self.message,
            "http_status": self.http_status,
            "error_type": self.error_type,
            "retry_after": self.retry_after,
            "maybe_billed": self.maybe_billed,
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer of the API. message: the Message object as JSON. headers: lower-case, those that matter."""

    message: Mapping[str, Json]
    http_status: int = 200
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False


Outcome: TypeAlias = Reply | Failure
Began: TypeAlias = Callable[[str | None, Mapping[str, str]], None]
"""Told that a reply has begun, with the id of its message and the headers of the response, as in `Reply`."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP exchange. n: from 1 within its call. at: RFC 3339 UTC of the dispatch. seconds: to its outcome."""

    n: int
    at: str
    seconds: float
    http_status: int | None = None
    request_id: str | None = None
    failure: Failure | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        return {
            "n": self.n,
            "at": self.at,
            "seconds": round(self.seconds, 6),
            "http_status": self.http_status,
            "request_id": self.request_id,
            "failure": self.failure.to_json() if self.failure else None,
            "headers": dict(self.headers),
        }
