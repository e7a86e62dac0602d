"""What answers were paid for that are no result: cache warm-ups, and replies of requests that are not done yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from runner.models.cost import cache_saving_usd
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.usage import UsageTotals
from runner.store.money import call_parts, served_by


class Paid:
    """Sums over journal lines of answered calls. unpriced: models without a known price, and how often.

    writes, reads: how many wrote to the cache and read from it; saved_usd: by that, None without a known price.
    """

    def __init__(self, prices: PriceTable = LIST_PRICES) -> None:
        self.prices = prices
        self.count = self.writes = self.reads = 0
        self.saved_usd: float | None = 0.0
        self.usage = UsageTotals()
        self.by_model: dict[str, float] = {}
        self.unpriced: Counter[str] = Counter()

    def add(self, line: Mapping[str, Any], asked: str) -> None:
        """Count a `reply` or `overhead` line. asked: the model, where the line does not name the one that served."""
        self.count += 1
        served = served_by(line) or asked
        if line.get("usage"):
            self._use(line["usage"], served)
        for model, usd in call_parts(line, served):
            if usd is None:
                self.unpriced[model] += 1
            else:
                self.by_model[model] = self.by_model.get(model, 0.0) + usd

    def _use(self, usage: Mapping[str, Any], model: str) -> None:
        self.usage.add(usage, model)
        self.writes += bool(usage.get("cache_creation_input_tokens"))
        self.reads += bool(usage.get("cache_read_input_tokens"))
        if usage.get("cache_read_input_tokens") or usage.get("cache_creation_input_tokens"):
            saved = cache_saving_usd(usage, model, self.prices)
            self.saved_usd = None if saved is None or self.saved_usd is None else self.saved_usd + saved

    @property
    def priced_usd(self) -> float:
        return sum(self.by_model.values())

    @property
    def usd(self) -> float | None:
        """US dollars; None as soon as one of them has no known price."""
        return None if self.unpriced else round(self.priced_usd, 9)
