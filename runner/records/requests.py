"""What planning makes of inputs: rows, and the requests that are rendered from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from runner.errors import Problem

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict with str keys."""


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

    def to_json(self, *, job: str, run: str) -> dict[str, Json]:
        """What its result line begins with, whatever came of it."""
        return {
            "v": 1,
            "job": job,
            "run": run,
            "n": self.n,
            "id": self.id,
            "cell": dict(self.cell),
            "repeat": self.repeat,
            "source": {"file": self.source.file, "line": self.source.line},
            "key": self.key,
            "parts": dict(self.parts),
        }
