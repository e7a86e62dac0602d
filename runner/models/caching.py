"""What is known of prompt caching apart from prices: how short a prefix may be, and how long it lives.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching. The minimum of a model is `rules.toml`'s.
"""

from __future__ import annotations

from typing import Final

from runner.models.cost import BYTES_PER_TOKEN
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.rules import rule_for

__all__ = ["ASSUMED_LEAST", "BYTES_PER_TOKEN", "GREATEST_LEAST", "SECONDS", "least_tokens"]

ASSUMED_LEAST: Final = 1024
"""Tokens; the minimum of most models, taken for one whose minimum is not known."""

GREATEST_LEAST: Final = 4096
"""The greatest minimum of any model: a prefix this long is cached by all of them."""

SECONDS: Final = {"5m": 300.0, "1h": 3600.0}


def least_tokens(model: str) -> tuple[int, bool]:
    """The shortest prefix that the model caches, in tokens, and whether that is known or assumed."""
    rules = rule_for(model)
    least = rules.min_cache_prefix if rules is not None else None
    return (ASSUMED_LEAST, False) if least is None else (least, True)


def reading_usd(model: str, tokens: int, prices: PriceTable = LIST_PRICES) -> float | None:
    """What this many tokens cost when they are read from the cache; None without a known price."""
    price = prices.price(model)
    return None if price is None else float(tokens * price.base.cache_read / 1_000_000)


def writing_usd(model: str, tokens: int, ttl: str = "5m", prices: PriceTable = LIST_PRICES) -> float | None:
    """What this many tokens cost when they are written to the cache."""
    price = prices.price(model)
    if price is None:
        return None
    rate = price.base.cache_write_1h if ttl == "1h" else price.base.cache_write_5m
    return float(tokens * rate / 1_000_000)
