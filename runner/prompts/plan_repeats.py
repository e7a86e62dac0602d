"""What stands twice in a plan: ids, which is a problem, and whole requests, of which one is sent.

Asks the database of the plan; `plan_tables` owns its tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from runner.errors import Position, Problem
from runner.prompts.plan_tables import Numbered
from runner.records import Source

_DUPLICATE_IDS: Final = """
SELECT id, min(n), max(n), count(*) FROM request WHERE n % :per_row = 0 GROUP BY id HAVING count(*) > 1
ORDER BY min(n) LIMIT :most
"""
_IDENTICAL: Final = """
INSERT INTO identical SELECT n, first FROM (
  SELECT n, min(n) OVER (PARTITION BY key) AS first FROM request WHERE key != x''
) WHERE n > first
"""


def find_identical(db: sqlite3.Connection) -> int:
    """Notes of each request with the key of an earlier one which that is; gives how many there are."""
    return db.execute(_IDENTICAL).rowcount


def duplicate_ids(db: sqlite3.Connection, files: Numbered, per_row: int, most: int) -> Iterator[Problem]:
    """One problem an id, named with its first and its last place. per_row: requests; most: problems."""
    for id, first, last, times in db.execute(_DUPLICATE_IDS, {"per_row": per_row, "most": most}).fetchall():
        yield _duplicate_id(id, _source(db, files, first), _source(db, files, last), times)


def _source(db: sqlite3.Connection, files: Numbered, n: int) -> Source:
    file, line = db.execute("SELECT file, line FROM request WHERE n = ?", (n,)).fetchone()
    return Source(files[file], line)


def _duplicate_id(id: str, first: Source, last: Source, times: int) -> Problem:
    places = f"at {first} and at {last}" if times == 2 else f"{times} times, first at {first}, last at {last}"
    return Problem(
        "duplicate-id",
        f"the id `{id[:200]}` stands {places}",
        Position(last.file, last.line or 0),
        next="make ids unique: name another column with `id:`, or count the rows with `id: '#'`",
    )
