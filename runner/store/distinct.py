"""Whether a text was there before, for a million texts in little memory: a temporary SQLite file remembers them."""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self


class Distinct:
    """A context manager; the file goes away with it."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # "" is a private temporary file
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096;")
        self._db.execute("CREATE TABLE seen (text TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, text: str) -> bool:
        """Whether the text is new."""
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (text,)).rowcount == 1

    def __contains__(self, text: str) -> bool:
        return self._db.execute("SELECT 1 FROM seen WHERE text = ?", (text,)).fetchone() is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
