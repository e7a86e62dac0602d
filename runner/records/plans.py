"""What a plan says before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.errors import Problem


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What a plan asks of one model. body_bytes, max_output_tokens: of all its requests together."""

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
