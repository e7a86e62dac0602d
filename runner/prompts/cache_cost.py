"""What caching, or the lack of it, costs requests whose prefix nobody shares: the dollars in the plan's warnings.

Loads what knows of prices; `cache_advice` asks it only when it has something to warn of. None without a known price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.models.cost import input_cost_usd, reading_usd, writing_usd
from runner.models.price_table import PriceTable
from runner.prompts.prefix_ledger import Unshared


def total_usd(alone: Sequence[Unshared], cost: Callable[[Unshared], float | None]) -> float | None:
    """The sum over all models; None when one of them has no known price."""
    parts = [cost(one) for one in alone]
    return None if any(part is None for part in parts) else sum(part or 0.0 for part in parts)


def uncached_usd(one: Unshared, prices: PriceTable) -> float | None:
    return input_cost_usd(one.model, one.tokens, one.requests, prices)


def once_usd(one: Unshared, prices: PriceTable) -> float | None:
    """Written by the first request and read by the others."""
    each = one.tokens // max(1, one.requests)
    writing = writing_usd(one.model, each, prices=prices)
    reading = reading_usd(one.model, each * (one.requests - 1), prices)
    return None if writing is None or reading is None else writing + reading


def extra_usd(one: Unshared, ttl: str, prices: PriceTable) -> float | None:
    """What writing costs beyond plain input."""
    writing, plain = writing_usd(one.model, one.tokens, ttl, prices), uncached_usd(one, prices)
    return None if writing is None or plain is None else writing - plain
