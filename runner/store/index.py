"""Which requests of a plan have a result, and where its line starts: eleven bytes a request, of up to a million."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.records import FAILURE_SCOPES
from runner.store.files import from_json, read_lines
from runner.store.line_head import answered_head
from runner.store.money import paid_parts
from runner.store.versions import check_format

NONE, ANSWERED, FAILED, TRANSIENT = range(4)
"""The state of a request. TRANSIENT: it failed for a reason that may be gone when the run is continued."""


def state_of(record: Mapping[str, Any]) -> int:
    """The state a result line puts its request in."""
    if record.get("status") != "failed":
        return ANSWERED
    kind = (record.get("failure") or {}).get("kind", "")
    return TRANSIENT if FAILURE_SCOPES.get(kind, "request") in ("attempt", "run") else FAILED


class ResultIndex:
    """The newest line of each request. ordered: the file holds one line a request, in order of n, so far.

    unpriced_at: a 1 for each request whose answer has a part without a known price; reused_at: for each whose result is
    another request's answer, and holds nothing of what this one was sent for.
    billed, unpriced: what the newest lines that `load` read have paid, in US dollars, and the parts without a price.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.states = bytearray(total)
        self.offsets = array("Q", bytes(8 * total))
        self.unpriced_at = bytearray(total)
        self.reused_at = bytearray(total)
        self.ordered = True
        self.garbage = 0
        self.billed = 0.0
        self.unpriced = 0
        self._next = 0

    def add(self, record: Mapping[str, Any], offset: int) -> None:
        """The newest line of a request, and where it starts."""
        reused = bool(record.get("reused_from"))
        self.note(record["n"], state_of(record), offset, billed=record.get("billed_usd"), reused=reused)

    def note(self, n: int, state: int, offset: int, *, billed: float | None = 0.0, reused: bool = False) -> None:
        """The same, by what the line says. billed: US dollars."""
        self.ordered = self.ordered and n >= self._next
        self._next = max(self._next, n + 1)
        self.states[n] = state
        self.offsets[n] = offset
        self.unpriced_at[n] = billed is None
        self.reused_at[n] = reused

    def answers(self, n: int) -> bool:
        """Whether the result of request n holds the answer that it was sent for itself."""
        return self.states[n] == ANSWERED and not self.reused_at[n]

    def load(self, path: Path) -> None:
        """One streaming pass over results.jsonl; a later line of the same request supersedes an earlier one.

        Lines that are none are counted and passed over. Raises OutputError for a line of a newer format.
        """
        for offset, line in read_lines(path):
            head = answered_head(line)
            if head is not None and head.n < self.total:
                self._supersede(head.n, path)
                self.billed += head.billed
                self.note(head.n, ANSWERED, offset, reused=head.reused)
            else:
                self._load_whole(line, offset, path)

    def _load_whole(self, line: bytes, offset: int, path: Path) -> None:
        record = from_json(line)
        if record is not None:
            check_format(record, path)
        if record is None or not self._is_result(record):
            self.garbage += 1
            self.ordered = False
            return
        self._supersede(record["n"], path)
        self._bill(record, 1)
        self.add(record, offset)

    def _supersede(self, n: int, path: Path) -> None:
        if self.states[n] != NONE:
            self._bill(self.read(n, path), -1)

    def _is_result(self, record: Mapping[str, Any]) -> bool:
        n = record.get("n")
        return type(n) is int and 0 <= n < self.total and isinstance(record.get("model"), dict) and "status" in record

    def _bill(self, record: Mapping[str, Any] | None, sign: int) -> None:
        for _, usd in paid_parts(record) if record else ():
            self.billed += sign * (usd or 0.0)
            self.unpriced += sign * (usd is None)

    def read(self, n: int, path: Path) -> dict[str, Any] | None:
        """The newest result line of request n, None without one."""
        if self.states[n] == NONE:
            return None
        with path.open("rb") as file:
            file.seek(self.offsets[n])
            return from_json(file.readline())

    def lines(self, path: Path) -> Iterator[tuple[int, bytes]]:
        """(n, line with its end) of every request that has a result, in order of n."""
        if not path.exists():
            return
        with path.open("rb") as file:
            for n, state in enumerate(self.states):
                if state != NONE:
                    file.seek(self.offsets[n])
                    yield n, file.readline()

    def count(self, state: int) -> int:
        return self.states.count(state)

    @property
    def missing(self) -> int:
        return self.count(NONE)
