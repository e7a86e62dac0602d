"""One pass over the result lines of a run, in order, into the numbers of usage.json and the summary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.models.cost import cache_saving_usd
from runner.models.summary import Group
from runner.models.usage import UsageTotals
from runner.store.distribution import Distribution

MAX_GROUPS = 50
_VARYING = re.compile(r"req_\w+|`[^`]*`|\d+")


class ResultTally:
    """Sums of result lines added in order of n. per_row: requests of one row (cells times repeats)."""

    def __init__(self, per_row: int) -> None:
        self.per_row = max(per_row, 1)
        self.results = self.good = self.reused = self.simulated = 0
        self.by_status: Counter[str] = Counter()
        self.groups: dict[tuple[str, str, str], Group] = {}
        self.usage = UsageTotals()
        self.money = Money(self.per_row)
        self.latency = Distribution()
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
            return
        self._latency(record)
        self.money.add(record)
        if record.get("usage"):
            self._usage(record["usage"], served_model(record))

    def _usage(self, usage: Mapping[str, Any], model: str) -> None:
        self.usage.add(usage, model)
        if usage.get("cache_read_input_tokens") or usage.get("cache_creation_input_tokens"):
            saved = cache_saving_usd(usage, model)
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


def group_of(record: Mapping[str, Any]) -> Group:
    """The group of one, of a result that is not good."""
    failure = record.get("failure") or {}
    details = record.get("stop_details") or {}
    kind = failure.get("kind") or details.get("category") or record.get("stop_reason") or ""
    message = failure.get("message") or details.get("explanation") or ""
    return Group(record["status"], str(kind), str(message), 1, str(record["id"]), failure.get("http_status"))


class Money:
    """What a run paid, by model and by row. A result without a known price counts as unpriced, never as free."""

    def __init__(self, per_row: int) -> None:
        self.per_row = per_row
        self.by_model: dict[str, float] = {}
        self.unpriced: Counter[str] = Counter()
        self.rows = Distribution()
        self.dearest: dict[str, Any] | None = None
        self._row = -1
        self._row_usd: float | None = None
        self._row_id = ""

    def add(self, record: Mapping[str, Any]) -> None:
        if record["n"] // self.per_row != self._row:
            self.end_row()
            self._row, self._row_id = record["n"] // self.per_row, record["id"]
        if not record.get("usage"):
            return
        model, paid = served_model(record), record.get("billed_usd")
        if paid is None:
            self.unpriced[model] += 1
            return
        self.by_model[model] = self.by_model.get(model, 0.0) + paid
        self._row_usd = (self._row_usd or 0.0) + paid

    def end_row(self) -> None:
        """Count the row read so far; call once more after the last record."""
        if self._row_usd is not None:
            if self.dearest is None or self._row_usd > self.dearest["usd"]:
                self.dearest = {"id": self._row_id, "usd": round(self._row_usd, 9)}
            self.rows.add(self._row_usd)
        self._row_usd = None

    @property
    def priced_usd(self) -> float:
        return round(sum(self.by_model.values()), 9)

    @property
    def usd(self) -> float | None:
        return None if self.unpriced else self.priced_usd
