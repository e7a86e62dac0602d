"""What a plan may cost, worked out from sizes: an estimate with a range for the output, and a bound. Arithmetic only.

Money is US dollars, None without a known price. https://platform.claude.com/docs/en/about-claude/pricing; a batch costs
half of the same requests sent live (https://platform.claude.com/docs/en/build-with-claude/batch-processing#pricing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from runner.models.cost import usd_at
from runner.models.price_table import PriceTable
from runner.models.usage import Tokens

BATCH: Final = 0.5


class Part(NamedTuple):
    """Requests to one model at one factor: how many, their input tokens (estimated), the most they may write."""

    requests: int
    tokens: float
    max_output: int
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is sent to one model. written, read: tokens of the input that are written to a cache and read from one.

    mean_output: tokens an answer had in earlier runs, None without any. margin: by how much the input may be off, with
    95 % confidence; None when it is only guessed from the size of the text.
    """

    model: str
    parts: tuple[Part, ...]
    written: float = 0.0
    read: float = 0.0
    ttl: str = "5m"
    mean_output: float | None = None
    margin: float | None = None

    @property
    def requests(self) -> int:
        return sum(part.requests for part in self.parts)

    @property
    def tokens(self) -> float:
        return sum(part.tokens for part in self.parts)

    @property
    def max_output(self) -> int:
        return sum(part.max_output for part in self.parts)

    @property
    def expected_output(self) -> float | None:
        """What they write when they write as much as before, and never more than they may."""
        return None if self.mean_output is None else min(self.mean_output * self.requests, self.max_output)


@dataclass(frozen=True, slots=True)
class ModelCost:
    """One model of a plan. least_usd: no output at all; likely_usd: as much as in earlier runs; full_usd: all allowed.

    most_usd: a bound on all calls, whatever the texts turn out to be. saved_usd: what caching saves. All of it live.
    """

    sizes: Sizes
    least_usd: float | None
    likely_usd: float | None
    full_usd: float | None
    most_usd: float | None
    saved_usd: float | None

    def to_json(self) -> dict[str, Any]:
        sizes = self.sizes
        live = {name: getattr(self, name) for name in ("least_usd", "likely_usd", "full_usd", "most_usd")}
        return {
            "model": sizes.model,
            "requests": sizes.requests,
            "input_tokens": round(sizes.tokens),
            "input_margin_tokens": None if sizes.margin is None else round(sizes.margin),
            "cache_write_tokens": round(sizes.written),
            "cache_read_tokens": round(sizes.read),
            "cache_ttl": sizes.ttl,
            "max_output_tokens": sizes.max_output,
            "expected_output_tokens": None if sizes.expected_output is None else round(sizes.expected_output),
            **live,
            "saved_usd": self.saved_usd,
            "batch": {name: halved(usd) for name, usd in live.items()},
        }


class Reserved(NamedTuple):
    """What is put aside for a first call before it is sent, US dollars. mean: over all requests.

    id, max_tokens, fallbacks: of the dearest: its row, what it may write, whether other models may take over.
    """

    least: float
    mean: float
    most: float
    id: str
    max_tokens: int
    fallbacks: bool = False

    @property
    def lower(self) -> str:
        """What makes a reservation smaller."""
        hops = ", or write `fallbacks: off`" if self.fallbacks else ""
        return f"lower `max_tokens` (now {self.max_tokens:,}){hops}"


class Budgeted(NamedTuple):
    """A plan under a cap of so many US dollars. wanted: requests that would be in flight at once without it."""

    usd: float
    best_effort: bool
    reserved: Reserved
    wanted: int

    @property
    def at_once(self) -> int:
        """How many of the usual size are in flight at first, while nothing is spent: each has its worst case put aside.

        It falls as money is spent, and a request of the usual size ends the run when it is below one.
        """
        return min(self.wanted, int(self.usd / self.reserved.mean)) if self.reserved.mean else self.wanted

    def to_json(self) -> dict[str, Any]:
        held = self.reserved
        return {
            "max_cost_usd": self.usd,
            "best_effort": self.best_effort,
            "reserved_usd": {"least": held.least, "mean": held.mean, "most": held.most},
            "at_once": self.at_once,
            "at_once_without": self.wanted,
        }


@dataclass(frozen=True, slots=True)
class PlanCost:
    """All models of a plan, and where the prices come from.

    earlier: answers of earlier runs that the likely cost rests on. counted: requests that the API counted. notes: what
    the numbers do not hold. budget: what a cap does to the plan, None without one.
    """

    models: tuple[ModelCost, ...]
    prices: Mapping[str, Any]
    earlier: int = 0
    counted: int = 0
    notes: tuple[str, ...] = ()
    budget: Budgeted | None = None

    @property
    def most_usd(self) -> float | None:
        """The bound of all of it: what `confirm_above` is compared with. None when a part has no price."""
        return in_sum(self.models, lambda one: one.most_usd)


def halved(usd: float | None) -> float | None:
    return None if usd is None else usd * BATCH


def model_cost(sizes: Sizes, prices: PriceTable, most_usd: float | None) -> ModelCost:
    """most_usd: the bound, which needs the size of every request."""
    expected = sizes.expected_output
    least = _usd(sizes, prices, 0.0)
    return ModelCost(
        sizes,
        least_usd=least,
        likely_usd=None if expected is None else _usd(sizes, prices, expected / max(sizes.max_output, 1)),
        full_usd=_usd(sizes, prices, 1.0),
        most_usd=most_usd,
        saved_usd=_saved(sizes, prices, least),
    )


def _saved(sizes: Sizes, prices: PriceTable, least: float | None) -> float | None:
    if not sizes.written and not sizes.read:
        return 0.0
    plain = _usd(Sizes(sizes.model, sizes.parts), prices, 0.0)
    return None if least is None or plain is None else plain - least


def _usd(sizes: Sizes, prices: PriceTable, output: float) -> float | None:
    """output: what part of all that may be written is. Cached tokens are spread over the parts by their size."""
    price = prices.price(sizes.model)
    if price is None:
        return None
    total = Decimal(0)
    for part in sizes.parts:
        share = part.tokens / sizes.tokens if sizes.tokens else 0.0
        rates = price.rates(round(part.tokens / max(part.requests, 1)))
        tokens = _tokens(part.tokens, sizes.written * share, sizes.read * share, sizes.ttl, part.max_output * output)
        total += usd_at(tokens, rates) * Decimal(str(part.factor))
    return float(total)


def _tokens(all_: float, written: float, read: float, ttl: str, output: float) -> Tokens:
    kept = {"cache_write_1h" if ttl == "1h" else "cache_write_5m": round(written), "cache_read": round(read)}
    return Tokens(input=max(0, round(all_ - written - read)), output=round(output), **kept)


def in_sum(costs: Sequence[ModelCost], usd: Callable[[ModelCost], float | None]) -> float | None:
    """Of all models; None as soon as one is not known."""
    return known_sum(usd(cost) for cost in costs)


def known_sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
