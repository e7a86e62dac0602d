"""What a run paid, by model and by row, from its result lines. A part without a known price is unpriced, never free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from runner.store.distribution import Distribution


def paid_parts(record: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """(model, US dollars) of each model that worked on a result; a hop that declined counts for the one that did.

    What was written down when the answer came is never worked out again: prices change.
    """
    served = str(record["model"].get("served") or record["model"]["asked"])
    calls = [call for call in record.get("calls") or () if was_answered(call)]
    for call in calls:
        yield from call_parts(call, served_by(call) or served)
    if not calls and record.get("usage"):
        yield served, record.get("billed_usd")


def call_parts(call: Mapping[str, Any], served: str) -> Iterator[tuple[str, float | None]]:
    """(model, US dollars) of each model that worked on an answered call."""
    if call.get("iterations"):
        yield from ((str(part["model"]), part["cost_usd"]) for part in call["iterations"])
    else:
        yield served, call["cost_usd"]


def was_answered(call: Mapping[str, Any]) -> bool:
    """Whether a call got its reply, be that kept or not (`run.keep`)."""
    return bool(call.get("response")) or call.get("model") is not None


def served_by(call: Mapping[str, Any]) -> str | None:
    """The model that an answered call names as its own; None when it names none."""
    model = (call.get("response") or call).get("model")
    return str(model) if model else None


class Money:
    """Sums over results added in order of n. unpriced: models without a known price, and how many parts they had.

    unpriced_results: those with such a part. per_row: requests of one row (cells times repeats).
    """

    def __init__(self, per_row: int) -> None:
        self.per_row = per_row
        self.by_model: dict[str, float] = {}
        self.unpriced: Counter[str] = Counter()
        self.unpriced_results = 0
        self.rows = Distribution()
        self.dearest: dict[str, Any] | None = None
        self._row = -1
        self._row_usd: float | None = None
        self._row_id = ""

    def add(self, record: Mapping[str, Any]) -> None:
        if record["n"] // self.per_row != self._row:
            self.end_row()
            self._row, self._row_id = record["n"] // self.per_row, record["id"]
        parts = list(paid_parts(record))
        self.unpriced.update(model for model, paid in parts if paid is None)
        self.unpriced_results += any(paid is None for _, paid in parts)
        for model, paid in parts:
            if paid is not None:
                self.by_model[model] = self.by_model.get(model, 0.0) + paid
                self._row_usd = (self._row_usd or 0.0) + paid

    def add_paid(self, by_model: Mapping[str, float], unpriced: Mapping[str, int]) -> None:
        """Count what belongs to no row."""
        self.unpriced.update(unpriced)
        for model, paid in by_model.items():
            self.by_model[model] = self.by_model.get(model, 0.0) + paid

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
