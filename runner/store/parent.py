"""The results of a run that is retried, found by (row id, cell, repeat). Reads only.

They go into a temporary SQLite file that belongs to this process, so that a million of them need no memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from runner.prompts.key import canonical_json
from runner.store.files import from_json
from runner.store.find import read_run
from runner.store.index import TRANSIENT, ResultIndex, state_of

_TABLE: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -4096;
CREATE TABLE result (
  identity TEXT PRIMARY KEY, key TEXT, status TEXT, passing INTEGER, offset INTEGER
) WITHOUT ROWID;
"""


class Had(NamedTuple):
    """A result of the parent. passing: it failed for a reason that may be gone. offset: where its line starts."""

    key: str
    status: str
    passing: bool
    offset: int


class ParentResults:
    """The newest result of each request of a run. A context manager. Raises as `read_run` does."""

    def __init__(self, folder: Path) -> None:
        run = read_run(folder)
        self.folder = folder
        self._db = sqlite3.connect("", isolation_level=None)  # "" is a private temporary file
        self._db.executescript(_TABLE)
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?)", self._rows(run))
        self._db.execute("COMMIT")

    def _rows(self, run: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        index = ResultIndex(run["plan"]["requests"])
        index.load(self.folder / "results.jsonl")
        for n, line in index.lines(self.folder / "results.jsonl"):
            record = from_json(line)
            if record is not None:
                passing = state_of(record) == TRANSIENT
                identity = identity_of(record["id"], record["cell"], record["repeat"])
                yield identity, record["key"], record["status"], passing, index.offsets[n]

    def find(self, id: str, cell: Mapping[str, Any], repeat: int) -> Had | None:
        """What the parent has of this request; None when it has no result."""
        identity = identity_of(id, cell, repeat)
        query = "SELECT key, status, passing, offset FROM result WHERE identity = ?"
        found = self._db.execute(query, (identity,)).fetchone()
        return Had(found[0], found[1], bool(found[2]), found[3]) if found else None

    @property
    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM result").fetchone()[0])

    def line(self, offset: int) -> dict[str, Any]:
        """The result line that starts there."""
        with (self.folder / "results.jsonl").open("rb") as file:
            file.seek(offset)
            return from_json(file.readline()) or {}

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def identity_of(id: str, cell: Mapping[str, Any], repeat: int) -> str:
    """What a request is, whatever it asks: equal for the same row, cell and repeat of two runs."""
    return canonical_json([id, dict(cell), repeat]).decode("utf-8")
