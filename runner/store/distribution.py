"""Percentiles of very many numbers in little memory: exact up to ten thousand, within half a percent beyond."""

from __future__ import annotations

import math

EXACT = 10_000
_STEP = math.log(1.01)


class Distribution:
    """Numbers of zero or more. Beyond EXACT of them, they are counted in buckets one percent wide."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.largest = 0.0
        self._values: list[float] = []
        self._buckets: dict[int, int] = {}

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.largest = max(self.largest, value)
        self._values.append(value)
        if len(self._values) > EXACT:
            self._fold()

    def _fold(self) -> None:
        for value in self._values:
            bucket = round(math.log(value) / _STEP) if value > 0 else -(1 << 30)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._values.clear()

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """The smallest value that at least this percent of the numbers do not exceed; None without numbers."""
        if not self.count:
            return None
        rank = max(1, math.ceil(self.count * percent / 100))
        if not self._buckets:
            return sorted(self._values)[rank - 1]
        self._fold()
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                break
        return min(math.exp(bucket * _STEP), self.largest) if bucket > -(1 << 30) else 0.0
