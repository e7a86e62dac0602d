"""Base prices of Claude models, from the genai-prices package, which only this module imports (and lazily: 0.25 s).

Arithmetic is `cost.py`'s. A model without a complete price is None, never free.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

from runner.models.rules import family

_RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal

    @property
    def dearest_input(self) -> Decimal:
        return max(self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h)


@dataclass(frozen=True, slots=True)
class Price:
    """base: the rates of a usual prompt. tiers: (more prompt tokens than this, rates of every token), ascending."""

    base: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()

    def rates(self, prompt_tokens: int) -> Rates:
        """The rates of all tokens of a request whose prompt (input, cache reads and writes) has this many tokens."""
        chosen = self.base
        for above, rates in self.tiers:
            if prompt_tokens > above:
                chosen = rates
        return chosen


def price_of(model: str, on: date | None = None) -> Price | None:
    """The price of a model on a UTC day (today when not given), None when it is not known."""
    return _price(model, on or datetime.now(UTC).date())


@cache
def _price(model: str, on: date) -> Price | None:
    found = _find(model) or _find(family(model))
    if found is None:
        return None
    prices = found.get_prices(datetime.combine(on, time(12), UTC))
    base = _rates(prices, 0)
    if base is None:
        return None
    starts = sorted({tier.start for name in _RATES.values() for tier in getattr(getattr(prices, name), "tiers", ())})
    tiers = [(start, _rates(prices, start + 1)) for start in starts]
    return Price(base, tuple((start, rates) for start, rates in tiers if rates is not None))


def _find(model: str) -> Any:
    """The model's entry: Bedrock ids at Bedrock's prices, Vertex ids at Google's, anything else at Anthropic's."""
    from genai_prices.data import providers

    wanted = "aws" if "anthropic." in model else "google" if "@" in model else "anthropic"
    provider = next(provider for provider in providers if provider.id == wanted)
    return provider.find_model(model)


def _rates(prices: Any, prompt_tokens: int) -> Rates | None:
    values = {name: _rate(getattr(prices, field, None), prompt_tokens) for name, field in _RATES.items()}
    if any(value is None for value in values.values()):
        return None
    return Rates(**{name: value for name, value in values.items() if value is not None})


def _rate(value: Any, prompt_tokens: int) -> Decimal | None:
    """A flat rate, or the one of the highest tier the prompt has passed: a tier applies to every token."""
    if value is None or isinstance(value, Decimal):
        return value
    passed = [tier.price for tier in value.tiers if prompt_tokens > tier.start]
    rate: Decimal = passed[-1] if passed else value.base
    return rate
