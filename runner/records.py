"""The frozen records that flow between the layers. Stdlib only; no I/O.

The order of the file is the order of a run: a row of input becomes requests, a request is attempted,
an attempt ends in a reply or a failure, and a request ends in one result. Records answer questions
(`failure.ends_run`, `result.answered`), so that no caller keeps a copy of a rule. Contracts: docs/design.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from runner.errors import Problem

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with str keys."""


# ---------------------------------------------------------------- inputs


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row was written. file: relative to the project root with `/`, or `<stdin>`; line: 1-based."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Row:
    """One row of input. `number` is its 1-based place in the job's rows, before `--only` and `--limit` choose.

    values: column → value; CSV cells are strings. A glob's row answers `values["text"]` by reading the file,
    but does not list it. problem: set when the row could not be read; its values are then empty.
    skip: its source's `on_bad_row`; a row that cannot be used is left out instead of stopping the job.
    """

    number: int
    id: str
    values: Mapping[str, Json]
    source: Source
    overrides: Mapping[str, Json] = field(default_factory=dict)
    problem: Problem | None = None
    skip: bool = False


# ---------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class Timeout:
    """Seconds; None means no limit of that kind."""

    total: float | None = 600.0
    connect: float | None = 5.0
    read: float | None = 600.0
    write: float | None = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """max: retries after the first attempt; base, cap: seconds of backoff; max_wait: the longest one wait."""

    max: int = 5
    base: float = 1.0
    cap: float = 60.0
    max_wait: float = 600.0


class PrefixEnd(NamedTuple):
    """A place in a body where a cached prefix may end. id: a hash of everything before it, and of what breaks caches.

    size: about how many bytes of text come before it. place: the block it ends with, as steps into the body.
    """

    id: int
    size: int
    place: tuple[str | int, ...]


class Prefix(NamedTuple):
    """A prefix that ends at a breakpoint. hash: equal for requests that share it. seconds: how long it lives unused.

    size: about how many bytes of text it has.
    """

    hash: str
    seconds: float
    size: int = 0


class Terms(NamedTuple):
    """What of a request changes its price. factor: on the price of its tokens (speed, region).

    fallbacks: models for what the first one declines, each of which may be paid as well; `default` is one that the API
    chooses. fallback_output: what one of them may write, where the request allows it more than `max_tokens`.
    added: tokens that the API adds to its input, at most. caches: how long the input may be written to a cache, "" for
    not at all; what is not known counts as an hour. uses: of tools that the API runs, at most, each paid with
    `searches` among them and bringing `found` tokens to the input, all of them together. compacts: the API may sum up
    the conversation before it answers. unbounded: what may be paid beside all that without any bound, in words.
    """

    factor: float = 1.0
    fallbacks: tuple[str, ...] = ()
    fallback_output: int = 0
    added: int = 0
    caches: Literal["", "5m", "1h"] = "1h"
    uses: int = 0
    searches: int = 0
    found: int = 0
    compacts: bool = False
    unbounded: tuple[str, ...] = ()


SECRET = "***"  # noqa: S105 - it stands for a secret and is none
"""What stands in a body where a token from the environment is put in when it is sent."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file that a request's body names by the sha256 of its content; its bytes are read when it is sent.

    path: absolute. shown: for messages. size: bytes. upload: it goes through the Files API, once for all requests.
    """

    sha256: str
    path: str
    shown: str
    media_type: str
    size: int
    upload: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One Messages request, ready to send.

    n: its place in the plan, from 0, without gaps. Order is (row, cell, repeat).
    key: sha256 hex over what determines the answer (docs/design.md, Requests); "" when `problem` is set.
    body: the JSON parameters as UTF-8, without `stream`. max_tokens and model repeat what the body says.
    timeout, retry: the row's own overrides, else None. problem: why it cannot be sent (`on_bad_row: skip`).
    headers: HTTP headers that are parameters of the API. secrets: MCP server → the environment variable whose value
    takes the place of `SECRET` in the bytes that are sent; the value itself is in no record.
    after: what `prompts.follow` and `prompts.judge` need beyond the body (a `prompts.after.After`); for them alone.
    ends: where a cached prefix could end, the shortest first. prefixes: those that end at a breakpoint of the body.
    files: those whose hashes stand in the body. media_tokens: what images and documents cost at most beside its text.
    parts: a short hash of each part of what the key covers (`model`, `system`, `prompt`, `parameters`), to tell what
    changed between two runs.
    """

    n: int
    id: str
    cell: Mapping[str, Json]
    repeat: int
    key: str
    model: str
    max_tokens: int
    body: bytes
    source: Source
    row: Mapping[str, Json] = field(default_factory=dict)
    betas: tuple[str, ...] = ()
    timeout: Timeout | None = None
    retry: RetryPolicy | None = None
    problem: Problem | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    after: Any = field(default=None, repr=False)
    ends: tuple[PrefixEnd, ...] = field(default=(), repr=False)
    prefixes: tuple[Prefix, ...] = ()
    files: tuple[AttachedFile, ...] = ()
    media_tokens: int = 0
    terms: Terms = Terms()  # noqa: RUF009 (a tuple: it cannot change)
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def most_tokens(self) -> int:
        """No more input tokens than this: one a byte of the body, its media, and what the API adds."""
        return len(self.body) + self.media_tokens + self.terms.added

    @property
    def prefix(self) -> str | None:
        """The hash of the longest prefix that the request shares, None when it has no breakpoint."""
        return self.prefixes[-1].hash if self.prefixes else None


# ---------------------------------------------------------------- attempts

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


# ---------------------------------------------------------------- results

Status: TypeAlias = Literal["ok", "tool_use", "truncated", "refused", "invalid", "failed"]
Purpose: TypeAlias = Literal["turn", "ask_again", "continue", "double"]


@dataclass(frozen=True, slots=True)
class Call:
    """One answer asked for on the way to a result.

    purpose: a `turn` of the conversation, or why it was asked once more: the reply was not valid, it paused, or it
    ran out of tokens. iterations: what each model that worked on it cost. turn: the user turn it belongs to, from 0;
    one that `when` skips does not count.
    """

    attempts: Sequence[Attempt]
    purpose: Purpose = "turn"
    turn: int = 0
    usage: Mapping[str, Json] | None = None
    cost_usd: float | None = None
    response: Mapping[str, Json] | None = None
    simulated: bool = False
    iterations: Sequence[Json] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "for": self.purpose,
            "turn": self.turn,
            "usage": dict(self.usage) if self.usage is not None else None,
            "cost_usd": self.cost_usd,
            "iterations": list(self.iterations),
            "response": dict(self.response) if self.response is not None else None,
            "attempts": [attempt.to_json() for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True)
class NextCall:
    """The call to make after the ones that were answered. body: as in `Request`; max_tokens repeats what it says."""

    purpose: Purpose
    turn: int
    body: bytes = field(repr=False)
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the calls of a request amount to. problems: what is wrong with the answer, in words.

    good: whether the job wants such an answer. text: the text blocks of the last reply joined. output: the parsed
    structured output. failure: why the status is `failed` although every call was answered. tool_calls: of the last
    reply, those of client tools. switches: where one model's output gives way to another's, `{from, to, category}`.
    """

    status: Status
    good: bool
    text: str | None = None
    output: Json = None
    citations: Sequence[Json] = ()
    problems: Sequence[str] = ()
    failure: Failure | None = None
    tool_calls: Sequence[Json] = ()
    switches: Sequence[Json] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How one request ended: a line of results.jsonl (schemas/result.schema.json).

    cost_usd: what the answer cost when it was made, None without a known price. billed_usd: what this run paid.
    failure: the last one, when the status is `failed`. accepted: the job calls it good although it is not `ok`.
    problems: what is wrong with the answer, in words.
    """

    request: Request
    status: Status
    calls: Sequence[Call] = ()
    text: str | None = None
    stop_reason: str | None = None
    stop_details: Mapping[str, Json] | None = None
    served: str | None = None
    usage: Mapping[str, Json] | None = None
    cost_usd: float | None = None
    billed_usd: float | None = None
    failure: Failure | None = None
    reused_from: Mapping[str, Json] | None = None
    simulated: bool = False
    accepted: bool = False
    output: Json = None
    citations: Sequence[Json] = ()
    problems: Sequence[str] = ()
    tool_calls: Sequence[Json] = ()
    switches: Sequence[Json] = ()

    @property
    def answered(self) -> bool:
        """An answered request is never sent again unless asked (docs/design.md)."""
        return self.status != "failed"

    @property
    def good(self) -> bool:
        return self.status == "ok" or self.accepted

    def to_json(self, *, job: str, run: str) -> dict[str, Json]:
        request = self.request
        return {
            "v": 1,
            "job": job,
            "run": run,
            "n": request.n,
            "id": request.id,
            "cell": dict(request.cell),
            "repeat": request.repeat,
            "source": {"file": request.source.file, "line": request.source.line},
            "key": request.key,
            "parts": dict(request.parts),
            "status": self.status,
            "good": self.good,
            "text": self.text,
            "output": self.output,
            "stop_reason": self.stop_reason,
            "stop_details": self.stop_details,
            "model": {"asked": request.model, "served": self.served, "switches": list(self.switches)},
            "usage": self.usage,
            "cost_usd": self.cost_usd,
            "billed_usd": self.billed_usd,
            "failure": self.failure.to_json() if self.failure else None,
            "calls": [call.to_json() for call in self.calls],
            "citations": list(self.citations),
            "tool_calls": list(self.tool_calls),
            "problems": list(self.problems),
            "checks": [],
            "row": dict(request.row),
            "reused_from": self.reused_from,
            "simulated": self.simulated,
        }


# ---------------------------------------------------------------- limits


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the user's that ended a sitting: nothing failed, and running again goes on once it is raised.

    what: one line for people. next: what to raise, and what else would help.
    """

    kind: Literal["max_cost", "deadline"]
    what: str
    next: str = ""

    def to_json(self) -> dict[str, Json]:
        return {"kind": self.kind, "what": self.what}


# ---------------------------------------------------------------- plan


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What a plan asks of one model. input_tokens: an estimate from text size. max_usd: None without a price."""

    model: str
    requests: int
    body_bytes: int
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What prompt caching is expected to do. Token counts are estimates from text size.

    writes: prefixes, each written once; reads: requests that read one. ttl: how long one lives unused.
    """

    writes: int
    reads: int
    written_tokens: int
    read_tokens: int
    ttl: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would send, known before anything is sent.

    hash: sha256 over the ordered (id, cell, repeat, key). identical: requests answered by an equal one
    earlier in the plan. bad: requests that cannot be sent; `problems` holds the first of them. fallbacks: models whose
    declined requests go to another model.
    """

    hash: str
    requests: int
    rows: int
    cells: int
    repeat: int
    identical: int
    bad: int
    models: Sequence[ModelPlan]
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    cache: CachePlan | None = None
    fallbacks: Sequence[str] = ()


# ---------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class PaceState:
    """How fast one model is asked right now. Rates are a minute; None where no limit is known.

    window: the most in flight at the moment. learned: where the rates come from: `headers` of the API, `refusals`
    (429s without such headers), the author's `limits`, or nothing yet. waits: seconds left of a pause after a 429.
    """

    model: str
    in_flight: int
    window: int
    requests_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    learned: Literal["nothing", "headers", "refusals", "limits"] = "nothing"
    waits: float = 0.0

    def to_json(self) -> dict[str, Json]:
        return {
            "model": self.model,
            "window": self.window,
            "requests_per_minute": self.requests_per_minute,
            "input_tokens_per_minute": self.input_tokens_per_minute,
            "output_tokens_per_minute": self.output_tokens_per_minute,
            "learned": self.learned,
        }


class Sending(Protocol):
    """What can be seen of a job while it is sent; asked by whoever shows it, whenever they like."""

    @property
    def in_flight(self) -> int: ...
    @property
    def waiting(self) -> int:
        """Requests that wait: for a retry, a pace, a leader or money."""
        ...

    @property
    def spent_usd(self) -> float:
        """Booked by this run so far, over all its sittings, without what is reserved."""
        ...

    def paces(self) -> Sequence[PaceState]: ...


@dataclass(frozen=True, slots=True)
class SendingBegan:
    """Emitted once, before the first attempt."""

    sending: Sending


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """Emitted once per attempt; progress, logs and usage subscribe. waiting: seconds until the retry, else None.

    call: which of the request's calls, from 0. usage: the reply's, None for a failure. cost_usd: what it cost.
    """

    request: Request
    attempt: Attempt
    waiting: float | None = None
    call: int = 0
    usage: Mapping[str, Json] | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class RequestDone:
    """Emitted once per request, after its result is on disk."""

    result: Result = field(repr=False)


Event: TypeAlias = SendingBegan | AttemptEnded | RequestDone
