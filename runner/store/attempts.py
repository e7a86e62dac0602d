"""What the journal tells of attempts: how many ended how, which may have been paid for without an answer, and what
was paid for answers that no result holds."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.models.price_table import LIST_PRICES, PriceTable
from runner.store.files import from_json, read_lines
from runner.store.index import ResultIndex
from runner.store.money import call_parts, was_answered
from runner.store.paid import Paid
from runner.store.versions import check_format

_NOTHING, _PRICED, _UNPRICED = range(3)
_MOST_CALLS = 0xFFFF  # what two bytes hold


class AttemptTally:
    """Counts over one streaming pass. An attempt is pending from its `sent` line until its outcome is read.

    sent: attempts; calls: how many calls they were for; warm-ups count in both. maybe_billed: attempts that may have
    been paid for though no answer came of them. overhead: answered warm-ups; unfinished: replies that no result holds,
    since their request is not done or got its answer from another run. assumed_usd: what was reserved for answers
    without a known price, as far as no part of them has one: a cap counts it as spent. garbage: lines that could not be
    read.
    """

    def __init__(self, total: int, prices: PriceTable = LIST_PRICES) -> None:
        self.sent = 0
        self.calls = 0
        self.by_kind: Counter[str] = Counter()
        self.maybe_billed = 0
        self.maybe_usd = 0.0
        self.maybe_unpriced = 0
        self.overhead = Paid(prices)
        self.unfinished = Paid(prices)
        self.assumed_usd = 0.0
        self.garbage = 0
        self._calls = array("H", bytes(2 * total))  # how many calls of each request were seen
        self._pending = bytearray(total)
        self._may_cost = array("d", bytes(8 * total))
        self._warming: dict[str, float | None] = {}

    def load(self, journal: Path, results: ResultIndex) -> None:
        """Read the journal, then settle what is still pending: answered by a result, or lost.

        results: of the results beside the journal. Raises OutputError for a line of a newer format.
        """
        for _, line in read_lines(journal):
            record = from_json(line)
            if record is None:
                self.garbage += 1
                continue
            check_format(record, journal)
            if type(record.get("n")) is int and 0 <= record["n"] < len(self._pending):
                self._read(record["n"], record, results, journal)
            elif record.get("for") == "warm_up":
                self._warm_up(record)
        for n, pending in enumerate(self._pending):
            if pending and results.answers(n):
                self.by_kind["reply"] += 1
                if results.unpriced_at[n]:
                    self._assume_last(n, results, journal)
            elif pending:
                self._lost(n)
        for prefix in list(self._warming):
            self._cold(prefix)

    @property
    def requests(self) -> int:
        """How many requests were sent at least once."""
        return len(self._calls) - self._calls.count(0)

    def _read(self, n: int, record: Mapping[str, Any], results: ResultIndex, journal: Path) -> None:
        if record.get("t") == "sent":
            if self._pending[n]:
                self._lost(n)
            self._send(n, record.get("call") or 0, record.get("may_cost_usd"))
        elif record.get("t") == "reply":
            self.by_kind["reply"] += 1
            if self._pending[n]:
                self._assume(record, self._may_cost[n])
            self._pending[n] = _NOTHING
            if not results.answers(n) and record.get("call", 0) >= self._held(n, results, journal):
                self.unfinished.add(record, str(record.get("asked") or "unknown"))
        elif record.get("t") == "failure":
            failure = record.get("failure") or {}
            self.by_kind[str(failure.get("kind"))] += 1
            if failure.get("maybe_billed"):
                self._maybe(n)
            self._pending[n] = _NOTHING

    def _assume_last(self, n: int, results: ResultIndex, journal: Path) -> None:
        """The same for the call whose reply has no line but the result."""
        record = results.read(n, journal.with_name("results.jsonl")) or {}
        for call in [call for call in record.get("calls") or () if was_answered(call)][-1:]:
            self._assume(call, self._may_cost[n])

    def _assume(self, call: Mapping[str, Any], may_cost: float) -> None:
        """An answered call. may_cost: what was reserved for it, 0 when that was not known either."""
        paid = [usd for _, usd in call_parts(call, "")]
        if None in paid:
            self.assumed_usd += max(0.0, may_cost - sum(usd for usd in paid if usd is not None))

    def _held(self, n: int, results: ResultIndex, journal: Path) -> int:
        """How many answered calls the result of a failed request holds: those are paid for by the result."""
        record = results.read(n, journal.with_name("results.jsonl")) or {}
        return sum(was_answered(call) for call in record.get("calls") or ())

    def _warm_up(self, record: Mapping[str, Any]) -> None:
        prefix = str(record.get("prefix"))
        if record.get("t") == "sent":
            self._cold(prefix)
            self.sent += 1
            self.calls += 1
            self._warming[prefix] = record.get("may_cost_usd")
        elif record.get("t") == "overhead":
            may_cost, failure = self._warming.pop(prefix, None), record.get("failure")
            self.by_kind[str(failure.get("kind")) if failure else "reply"] += 1
            if failure is None:
                self.overhead.add(record, str(record.get("model")))
                self._assume(record, may_cost or 0.0)
            elif failure.get("maybe_billed"):
                self._count_maybe(may_cost)

    def _cold(self, prefix: str) -> None:
        """A warm-up whose outcome nobody wrote down, if there is one."""
        if prefix in self._warming:
            self.by_kind["no_outcome"] += 1
            self._count_maybe(self._warming.pop(prefix))

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
        self._count_maybe(None if self._pending[n] == _UNPRICED else self._may_cost[n])

    def _count_maybe(self, may_cost: float | None) -> None:
        self.maybe_billed += 1
        self.maybe_usd += may_cost or 0.0
        self.maybe_unpriced += may_cost is None

    def to_json(self) -> dict[str, Any]:
        return {
            "attempts": self.maybe_billed,
            "usd": None if self.maybe_unpriced else round(self.maybe_usd, 9),
            "unpriced_attempts": self.maybe_unpriced,
        }
