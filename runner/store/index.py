"""Which requests of a plan have a result, and where its line starts: nine bytes a request, up to a million of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.records import FAILURE_SCOPES
from runner.store.files import from_json, read_lines

NONE, ANSWERED, FAILED, TRANSIENT = range(4)
"""The state of a request. TRANSIENT: it failed for a reason that may be gone when the run is continued."""


def state_of(record: Mapping[str, Any]) -> int:
    """The state a result line puts its request in."""
    if record.get("status") != "failed":
        return ANSWERED
    kind = (record.get("failure") or {}).get("kind", "")
    return TRANSIENT if FAILURE_SCOPES.get(kind, "request") in ("attempt", "run") else FAILED


class ResultIndex:
    """The newest line of each request. ordered: the file holds one line a request, in order of n, so far."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.states = bytearray(total)
        self.offsets = array("Q", bytes(8 * total))
        self.ordered = True
        self.garbage = 0
        self._next = 0

    def note(self, n: int, state: int, offset: int) -> None:
        self.ordered = self.ordered and n >= self._next
        self._next = max(self._next, n + 1)
        self.states[n] = state
        self.offsets[n] = offset

    def load(self, path: Path) -> None:
        """One streaming pass over results.jsonl; a later line of the same request supersedes an earlier one."""
        for offset, line in read_lines(path):
            record = from_json(line)
            n = record.get("n") if record else None
            if record is None or type(n) is not int or not 0 <= n < self.total:
                self.garbage += 1
                self.ordered = False
            else:
                self.note(n, state_of(record), offset)

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
