"""The temporary database of a plan: its file, its tables, and the small numbers it holds in place of repeated values.

What is asked of the tables is said by `plan`, `plan_repeats` and `plan_sizes`; those of prefixes are `prefix_ledger`'s.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from runner.errors import OutputError

_SETTINGS: Final = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -4096;
"""
_TABLES: Final = """
CREATE TABLE request (
  n INTEGER PRIMARY KEY, id TEXT, key BLOB, model INTEGER, max_tokens INTEGER, bytes INTEGER, file INTEGER,
  line INTEGER, most INTEGER, terms INTEGER, follows INTEGER, parts BLOB
);
CREATE TABLE identical (n INTEGER PRIMARY KEY, first INTEGER);
"""
_LEFT_OUT: Final = "CREATE TEMP TABLE left_out (n INTEGER PRIMARY KEY)"  # of this process: no copy has it


def temporary_database() -> sqlite3.Connection:
    """An empty database in a private file that goes away with the connection."""
    db = sqlite3.connect("", isolation_level=None)  # "" is a private temporary file
    db.executescript(_SETTINGS + _LEFT_OUT)
    return db


def create_tables(db: sqlite3.Connection) -> None:
    db.executescript(_TABLES)


@contextmanager
def temporary_space() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutputError(
            f"the plan's temporary file could not be written: {error}",
            next="Free some space where temporary files lie, or name another folder in TMPDIR (on Windows TMP).",
        ) from error


class Numbered:
    """Small numbers for values that repeat: cells, models, files."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self.values: list[Any] = []

    def number(self, name: Any, value: Any) -> int:
        number = self._numbers.setdefault(name, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number

    def __getitem__(self, number: int) -> Any:
        return self.values[number]
