"""What a plan may cost: the sizes in its ledger, what its cache settings make of them, the job's prices.

Imports the price list when it is asked, not before: commands that show no price do not pay for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Final

from runner.models.estimate import Part, PlanCost, Sizes, model_cost
from runner.models.price_table import PriceTable
from runner.models.text_size import estimated_tokens
from runner.models.worst_case import course_usd
from runner.prompts.cap import budgeted
from runner.prompts.courses import course_of
from runner.prompts.plan import PlanLedger
from runner.prompts.plan_sizes import Cached, Size
from runner.spec.job import CacheSpec, JobSpec

_NOTHING: Final = Cached(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Counted:
    """What counting said of one model. tokens: of all its input, at `margin` more or less with 95 % confidence.

    prefixes: how many times as long as guessed the shared prefixes are. counted: requests that were counted.
    """

    tokens: float
    margin: float
    prefixes: float
    counted: int


@dataclass(frozen=True)
class Known:
    """What is known beyond the texts. lengths: (results, output tokens) of earlier runs; counted: both by model."""

    lengths: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    counted: Mapping[str, Counted] = field(default_factory=dict)


def plan_cost(ledger: PlanLedger, job: JobSpec, known: Known = Known()) -> PlanCost:
    """The cost of all that would be sent, by model in the order of first use."""
    found = ledger.sizes()
    cached = ledger.cached()
    by_model: dict[str, list[Size]] = {}
    for size in found:
        by_model.setdefault(size.model, []).append(size)
    models = [
        model_cost(
            _sizes(sizes, job.cache, cached.get(model, _NOTHING), ledger.prefixes.ttl, known),
            job.prices,
            most_usd(ledger, sizes, job.prices),
        )
        for model, sizes in by_model.items()
    ]
    return PlanCost(
        tuple(models),
        job.prices.to_json(),
        earlier=sum(known.lengths[model][0] for model in by_model if model in known.lengths),
        counted=sum(known.counted[model].counted for model in by_model if model in known.counted),
        notes=tuple(_notes(found)),
        budget=budgeted(job, ledger),
    )


def most_usd(ledger: PlanLedger, sizes: Sequence[Size], prices: PriceTable) -> float | None:
    """All calls that these requests may take cost no more, together; what `terms.unbounded` names is not in it."""
    total = Decimal(0)
    for size in sizes:
        usd = course_usd(size.model, size.terms, prices, partial(ledger.bound, size), course_of(size.follows))
        if usd is None:
            return None
        total += usd
    return float(total)


def _sizes(sizes: Sequence[Size], cache: CacheSpec, cached: Cached, ttl: str, known: Known) -> Sizes:
    model = sizes[0].model
    guessed = sum(estimated_tokens(size.bytes) for size in sizes)
    counted = known.counted.get(model)
    scale = counted.tokens / guessed if counted and guessed else 1.0
    parts = tuple(
        Part(size.requests, estimated_tokens(size.bytes) * scale, size.max_tokens, size.terms.factor) for size in sizes
    )
    written, read = float(cached.written_tokens), float(cached.read_tokens)
    if cache.mode == "automatic":  # every request writes its own text
        written, read = guessed * scale, 0.0
    elif counted:
        written, read = written * counted.prefixes, read * counted.prefixes
    results, output = known.lengths.get(model, (0, 0))
    return Sizes(
        model,
        parts,
        written=written,
        read=read,
        ttl=cache.ttl if cache.mode == "automatic" and cache.ttl != "auto" else ttl if ttl != "auto" else "5m",
        mean_output=output / results if results else None,
        margin=counted.margin if counted else None,
    )


def _notes(sizes: Sequence[Size]) -> list[str]:
    """What the columns of the table do and do not hold, where it differs."""
    notes = []
    more = sum(size.requests for size in sizes if size.follows.calls > 1)
    loose = sum(size.requests for size in sizes if size.terms.unbounded)
    if more:
        notes.append(f"{more:,} may take further calls (turns, asking again, doubling): only `at most` has them")
    if loose:
        names = ", ".join(dict.fromkeys(name for size in sizes for name in size.terms.unbounded))
        notes.append(f"{loose:,} may cost more than `at most`: nothing bounds {names}")
    return notes
