"""One pass over the result lines of a run, in order, into the numbers of usage.json and the summary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from runner.models.cost import cache_saving_usd
from runner.models.endings import kind_of
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.summary import Group
from runner.models.usage import Tokens, UsageTotals
from runner.store.cache_tally import CacheTally
from runner.store.distribution import Distribution
from runner.store.lengths import Lengths
from runner.store.money import Money, served_by, was_answered
from runner.store.paid import Paid

MAX_GROUPS = 50
_VARYING = re.compile(r"req_\w+|`[^`]*`|\d+")


class ResultTally:
    """Sums of result lines added in order of n. per_row: requests of one row (cells times repeats).

    reused: answers of another request; identical: those of them whose request is in the same run.
    """

    def __init__(self, per_row: int, prices: PriceTable = LIST_PRICES) -> None:
        self.per_row = max(per_row, 1)
        self.results = self.good = self.reused = self.identical = self.simulated = 0
        self.by_status: Counter[str] = Counter()
        self.groups: dict[tuple[str, str, str], Group] = {}
        self.usage = UsageTotals()
        self.money = Money(self.per_row)
        self.lengths = Lengths()
        self.prices = prices
        self.latency = Distribution()
        self.cache = CacheTally()
        self.saved_usd: float | None = 0.0

    def add(self, record: Mapping[str, Any]) -> None:
        self.results += 1
        self.by_status[record["status"]] += 1
        self.good += bool(record["good"])
        self.simulated += bool(record.get("simulated"))
        if not record["good"]:
            self._group(record)
        if record.get("reused_from"):
            self.reused += 1
            self.identical += record["reused_from"]["run"] == record["run"]
            return
        self._latency(record)
        self.cache.add(record)
        self.money.add(record)
        self.lengths.add(record)
        for model, usage, _ in bills(record):
            self._usage(usage, model)

    def add_paid(self, paid: Paid) -> None:
        """Count answers that are no result of their own; they belong to no row."""
        for model, tokens in paid.usage.by_model.items():
            self.usage.by_model[model] = self.usage.by_model.get(model, Tokens()).plus(tokens)
        self.money.add_paid(paid.by_model, paid.unpriced)
        self.cache.writes += paid.writes
        self.cache.reads += paid.reads
        known = self.saved_usd is not None and paid.saved_usd is not None
        self.saved_usd = (self.saved_usd or 0.0) + (paid.saved_usd or 0.0) if known else None

    def _usage(self, usage: Mapping[str, Any], model: str) -> None:
        self.usage.add(usage, model)
        if usage.get("cache_read_input_tokens") or usage.get("cache_creation_input_tokens"):
            saved = cache_saving_usd(usage, model, self.prices)
            known = saved is not None and self.saved_usd is not None
            self.saved_usd = (self.saved_usd or 0.0) + (saved or 0.0) if known else None

    def _latency(self, record: Mapping[str, Any]) -> None:
        for call in record.get("calls") or ():
            for attempt in call["attempts"]:
                if attempt.get("failure") is None:
                    self.latency.add(attempt["seconds"])

    def _group(self, record: Mapping[str, Any]) -> None:
        group = group_of(record)
        key = (group.status, group.kind, _VARYING.sub("#", group.message))
        if key not in self.groups and len(self.groups) >= MAX_GROUPS:
            key = (group.status, group.kind, "")
        old = self.groups.get(key)
        self.groups[key] = replace(old, count=old.count + 1) if old else group

    @property
    def ranked_groups(self) -> tuple[Group, ...]:
        return tuple(sorted(self.groups.values(), key=lambda group: -group.count))

    @property
    def cache_hit_rate(self) -> float | None:
        """Tokens read from the cache as a part of all prompt tokens; None when there were none."""
        total = self.usage.total
        return total.cache_read / total.prompt if total.prompt else None


def served_model(record: Mapping[str, Any]) -> str:
    model = record["model"]
    return str(model.get("served") or model["asked"])


def bills(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], float | None]]:
    """(model, usage, US dollars) of every answer that a result was made of; of one call, the result's own."""
    calls = [call for call in record.get("calls") or () if call.get("usage") and was_answered(call)]
    if len(calls) > 1:
        for call in calls:
            yield served_by(call) or str(record["model"]["asked"]), call["usage"], call["cost_usd"]
    elif record.get("usage"):
        yield served_model(record), record["usage"], record.get("billed_usd")


def group_of(record: Mapping[str, Any]) -> Group:
    """The group of one, of a result that is not good."""
    failure = record.get("failure") or {}
    details = record.get("stop_details") or {}
    said = next(iter(record.get("problems") or ()), "")
    kind = "" if record["status"] == "invalid" and said else kind_of(record)
    message = failure.get("message") or details.get("explanation") or said
    return Group(record["status"], kind, str(message), 1, str(record["id"]), failure.get("http_status"))
