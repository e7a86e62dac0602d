"""The job as the rest of the program sees it: complete, frozen records. The defaults live here and nowhere else.

Nothing here reads a file, checks a value or knows YAML: `load.py` fills these records, once, and after it
no module looks at what the author wrote. A default that the API decides (thinking, effort) is absence, not a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from runner.errors import Position, Problem
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.records import Json, RetryPolicy, Timeout

if TYPE_CHECKING:
    from runner.spec.document import Document
    from runner.spec.document import Path as TreePath
    from runner.spec.paths import Confine
    from runner.spec.template import Expression, Template, Templates

DEFAULT_MAX_TOKENS: Final = 16_000
MAX_CELLS: Final = 10_000
USUAL_CONCURRENCY: Final = 20
"""What a plan reckons with where the account's limits decide."""

REQUEST_FIELDS: Final = (
    "model",
    "max_tokens",
    "system",
    "prompt",
    "messages",
    "turns",
    "attachments",
    "effort",
    "thinking",
    "stop_sequences",
    "metadata",
    "service_tier",
    "output",
    "tools",
    "tool_choice",
    "fallbacks",
    "mcp_servers",
    "container",
    "context_management",
    "compaction",
    "inference_geo",
    "speed",
    "user_profile_id",
    "workspace_id",
    "betas",
    "extra_body",
)
"""The spec's keys that become the request: what a matrix, a row's overrides and `--set` may change."""

_NOT_FOR_ROWS: Final = frozenset({"tools", "mcp_servers", "workspace_id", "betas", "output"})

ROW_OVERRIDE_FIELDS: Final = (
    *(name for name in REQUEST_FIELDS if name not in _NOT_FOR_ROWS),
    "request_timeout",
    "retry",
)
"""What a row may change for its own requests (the language's Precedence)."""

StreamMode: TypeAlias = Literal["auto"] | bool


@dataclass(frozen=True, eq=False)
class OutputSpec:
    """What a reply has to be. schema: as its author wrote it, None when any text will do.

    mode: `native` has the API enforce the schema, `text` sends nothing of it and looks for JSON in the reply.
    Two of them are equal only when they are the same one, so that what is made from a schema is made once.
    """

    schema: Mapping[str, Json] | None = None
    mode: Literal["native", "text"] = "native"
    on_invalid: Literal["ask_again", "fail"] = "ask_again"
    on_truncated: Literal["fail", "accept", "double"] = "fail"


@dataclass(frozen=True)
class CellSpec:
    """One combination of the matrix, or the whole job when there is none.

    values: what the matrix set, `{}` without one. fields: the request fields that are set, normalised, in the
    spec's spelling; a templated string is a `Template`. `max_tokens` is always there. `system` is a str, a Template
    or a list of `{"type": "text", "text": …}`; `prompt` a str or Template, or else `messages` a list of
    `{"role", "content"}` whose content is a str, a Template or a list of blocks, or else `turns` (`spec.turns`);
    `thinking` has the API's shape.
    vars: the declared variables with what matrix and `--var` set. cli_vars: `--var` alone; it wins over everything.
    paths: where in the document each field was written, () for one that was not.
    """

    index: int
    values: Mapping[str, Json]
    fields: Mapping[str, Any]
    vars: Mapping[str, Any] = field(default_factory=dict)
    cli_vars: Mapping[str, Json] = field(default_factory=dict)
    paths: Mapping[str, TreePath] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class InputSource:
    """Where rows come from: inline rows, one file, a glob, or a list of paths on stdin.

    path: as written; `-` is stdin. id: None (a column `id`, the path or the number), a column's name, `#` for the
    row's number, or a Template. base: the folder `path` is relative to. row_positions: one per inline row.
    """

    kind: Literal["rows", "file", "glob", "paths"]
    at: Position
    base: Path
    rows: tuple[Mapping[str, Json], ...] = ()
    path: str = ""
    format: str | None = None
    match: str | None = None
    id: str | Template | None = None
    where: Expression | None = None
    limit: int | None = None
    on_bad_row: Literal["stop", "skip"] = "stop"
    on_empty: Literal["error", "ok"] = "error"
    overrides: str | None = None
    row_positions: tuple[Position, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Rates that the author wants to stay below, a minute and model; None: as much as the account allows."""

    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None


@dataclass(frozen=True)
class MaxCost:
    """A cap in US dollars. best_effort: what has no price or no bound is sent all the same, outside of the cap."""

    usd: float
    best_effort: bool = False


@dataclass(frozen=True)
class Reuse:
    """Whether earlier runs' answers serve again. max_age: in seconds. written: the author said so in the spec."""

    on: bool = True
    max_age: float | None = None
    written: bool = False


@dataclass(frozen=True)
class Keep:
    """What results hold beside the answer. row: the columns, True for all."""

    response: bool = True
    row: bool | tuple[str, ...] = True


@dataclass(frozen=True)
class RunSpec:
    """How requests are sent; none of it changes an answer or a key.

    concurrency: the most requests in flight, None to find out. confirm_above: US dollars. deadline, grace: seconds.
    """

    concurrency: int | None = None
    limits: Limits = field(default_factory=Limits)
    max_cost: MaxCost | None = None
    confirm_above: float | None = None
    deadline: float | None = None
    request_timeout: Timeout = field(default_factory=Timeout)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    reuse: Reuse = field(default_factory=Reuse)
    stream: StreamMode = "auto"
    durability: Literal["normal", "strict"] = "normal"
    grace: float = 30.0
    keep: Keep = field(default_factory=Keep)


@dataclass(frozen=True)
class Checks:
    """What the results of a run must satisfy. ok: how many percent of the requests need a good answer.

    written: as the author wrote them, None when nothing was written.
    """

    ok: Decimal = Decimal(100)
    written: tuple[Mapping[str, Json], ...] | None = None

    def passed(self, good: int, total: int) -> bool:
        """Whether so many good answers are enough; exact, also for very many requests."""
        return good * 100 >= self.ok * total


@dataclass(frozen=True)
class Varying:
    """A name in the part of a prompt that is meant to be shared, with a value of its own in every row."""

    field: str
    name: str
    where: Position


@dataclass(frozen=True)
class CacheSpec:
    """How prompts are cached; none of it is part of a key. where: of what the author wrote, None when nothing.

    ttl: how long a prefix lives unused; `auto` is decided by the plan. diagnose: ask the API why it missed.
    warm_up: write each prefix with a request of its own. varying: what keeps the shared part from being shared.
    """

    mode: Literal["shared", "automatic", "manual", "off"] = "shared"
    ttl: Literal["auto", "5m", "1h"] = "auto"
    diagnose: bool = False
    warm_up: bool = False
    where: Position | None = None
    varying: tuple[Varying, ...] = ()


@dataclass(frozen=True)
class ClientSpec:
    """Whom the job asks, and how it gets there; credentials are never part of it.

    settings: the provider's own, spelt as the SDK's arguments. headers: name → value; header_variables: name → the
    variable of the environment that holds the value.
    """

    provider: str = "anthropic"
    settings: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None
    proxy: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    header_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobSpec:
    """A job, complete. cells: at least one. inputs: empty means one row without variables.

    set_fields: what `--set` wrote: top-level keys, and the parts of `run`; they win over matrix and row overrides.
    names: every name its templates read. files: every file read for the spec itself, the spec first.
    doc: for the places of problems that are found later, and for nothing else. prices: what its answers are billed by.
    """

    path: Path
    root: Path
    confine: Confine
    name: str
    cells: tuple[CellSpec, ...]
    templates: Templates
    inputs: tuple[InputSource, ...] = ()
    repeat: int = 1
    run: RunSpec = field(default_factory=RunSpec)
    checks: Checks = field(default_factory=Checks)
    cache: CacheSpec = field(default_factory=CacheSpec)
    client: ClientSpec = field(default_factory=ClientSpec)
    prices: PriceTable = LIST_PRICES
    doc: Document | None = field(default=None, repr=False)
    set_fields: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    files: tuple[Path, ...] = ()
    warnings: tuple[Problem, ...] = ()
