"""What the journal tells of attempts: how many ended how, and which may have been paid for without an answer."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.store.files import from_json, read_lines
from runner.store.index import ANSWERED, ResultIndex

_NOTHING, _PRICED, _UNPRICED = range(3)
_MOST_CALLS = 0xFFFF  # what two bytes hold


class AttemptTally:
    """Counts over one streaming pass. An attempt is pending from its `sent` line until its outcome is read.

    sent: attempts; calls: how many calls they were for. maybe_billed: attempts that may have been paid for
    though no answer came of them.
    """

    def __init__(self, total: int) -> None:
        self.sent = 0
        self.calls = 0
        self.by_kind: Counter[str] = Counter()
        self.maybe_billed = 0
        self.maybe_usd = 0.0
        self.maybe_unpriced = 0
        self._calls = array("H", bytes(2 * total))  # how many calls of each request were seen
        self._pending = bytearray(total)
        self._may_cost = array("d", bytes(8 * total))

    def load(self, journal: Path, results: ResultIndex) -> None:
        """Read the journal, then settle what is still pending: answered by a result, or lost."""
        for _, line in read_lines(journal):
            record = from_json(line)
            if record and type(record.get("n")) is int and 0 <= record["n"] < len(self._pending):
                self._read(record["n"], record)
        for n, pending in enumerate(self._pending):
            if pending and results.states[n] == ANSWERED:
                self.by_kind["reply"] += 1
            elif pending:
                self._lost(n)

    def _read(self, n: int, record: Mapping[str, Any]) -> None:
        if record.get("t") == "sent":
            if self._pending[n]:
                self._lost(n)
            self._send(n, record.get("call") or 0, record.get("may_cost_usd"))
        elif record.get("t") == "reply":
            self.by_kind["reply"] += 1
            self._pending[n] = _NOTHING
        elif record.get("t") == "failure":
            failure = record.get("failure") or {}
            self.by_kind[str(failure.get("kind"))] += 1
            if failure.get("maybe_billed"):
                self._maybe(n)
            self._pending[n] = _NOTHING

    def _send(self, n: int, call: int, may_cost: float | None) -> None:
        self.sent += 1
        if call >= self._calls[n]:
            self.calls += 1
            self._calls[n] = min(call + 1, _MOST_CALLS)
        self._pending[n] = _UNPRICED if may_cost is None else _PRICED
        self._may_cost[n] = may_cost or 0.0

    def _lost(self, n: int) -> None:
        self.by_kind["no_outcome"] += 1
        self._maybe(n)
        self._pending[n] = _NOTHING

    def _maybe(self, n: int) -> None:
        self.maybe_billed += 1
        self.maybe_usd += self._may_cost[n]
        self.maybe_unpriced += self._pending[n] == _UNPRICED

    def to_json(self) -> dict[str, Any]:
        return {
            "attempts": self.maybe_billed,
            "usd": None if self.maybe_unpriced else round(self.maybe_usd, 9),
            "unpriced_attempts": self.maybe_unpriced,
        }
