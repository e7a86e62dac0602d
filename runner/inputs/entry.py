"""What a reader yields: the values of one row and where they stand, or why they could not be read.

A reader knows nothing of ids, numbers, `where` or policies; `rows.py` turns entries into rows.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from runner.errors import Position, Problem
from runner.records import Json, Source

MAX_TEXT: Final = 32 * 1024 * 1024
"""The most characters (bytes, for a whole file) of one cell, line, item or file's text: a request holds no more.
https://platform.claude.com/docs/en/api/overview#request-size-limits"""


Entry: TypeAlias = tuple[dict[str, Json], Source, Problem | None]
"""One row as read: its values, where it stands, and why it could not be read; with a problem, values are empty.

A plain tuple, because a million of them are made: a named one costs 0.3 µs more.
"""


class BadRow(Exception):
    """This row cannot be used; says why, in the words of a Problem. Never leaves this package."""

    def __init__(self, rule: str, what: str, *, next: str = "") -> None:
        super().__init__(what)
        self.rule = rule
        self.what = what
        self.next = next

    def problem(self, source: Source, *, column: int = 0) -> Problem:
        """The problem of the row that stands at `source`; column: 1-based, in characters."""
        return Problem(self.rule, self.what, Position(source.file, source.line or 0, column), next=self.next)

    def entry(self, source: Source, *, column: int = 0) -> Entry:
        """The entry that takes the place of the row that could not be read."""
        return {}, source, self.problem(source, column=column)
