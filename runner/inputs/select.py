"""`--only`, `--limit` and `--shard`: which of the job's numbered rows go on. Holds the terms, never the rows.

A term of `--only` is an id, `#731` for the 731st row, or `L732` / `data/x.csv:L732` for a line of a source.
A shard is dealt like cards, from the rows that `--only` and `--limit` choose: all shards together are what the same
command without `--shard` runs, none is more than a row larger than another, and a row's place says its shard.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Final

from runner.errors import Position, Problem, SpecError
from runner.records import Row

if TYPE_CHECKING:
    from difflib import SequenceMatcher

_NUMBER: Final = re.compile(r"#(\d{1,18})")
_LINE: Final = re.compile(r"(?:(?P<file>.+):)?L(?P<line>\d{1,18})")
_NEAR: Final = 0.6
_COMPARED: Final = 100_000
_NAMED: Final = 20
"""Unknown terms that are named; for each, near ids are looked for in all rows."""


@dataclass(frozen=True, order=True)
class Shard:
    """Every `of`th row from the k-th on. k: from 1."""

    k: int
    of: int

    def __str__(self) -> str:
        return f"{self.k}/{self.of}"

    def takes(self, place: int) -> bool:
        """Whether the row at this place, from 0, is in the shard."""
        return place % self.of == self.k - 1


@dataclass(frozen=True)
class Selection:
    """What the command line asked for; nothing means every row. limit: the first rows of those.

    left_out: places, from 0, among the rows that the rest chooses; those are not taken (`retry` leaves out rows).
    """

    only: tuple[str, ...] = ()
    limit: int | None = None
    shard: Shard | None = None
    left_out: frozenset[int] = frozenset()

    @property
    def partial(self) -> bool:
        """Whether it may leave out rows of the job, so that a run of it is no run of the whole job."""
        return bool(self.only or self.limit is not None or self.shard or self.left_out)


def select(rows: Callable[[], Iterator[Row]], selection: Selection) -> Iterator[Row]:
    """The chosen rows, in order. rows: starts reading; called again only to find near names for an unknown id.

    Raises SpecError `unknown-row` after the last row when a term of `only` chose none.
    """
    chosen = _only(rows, selection.only) if selection.only else rows()
    if selection.limit is not None and selection.limit < sys.maxsize:  # what `islice` can count
        chosen = _first(chosen, selection.limit) if selection.only else islice(chosen, selection.limit)
    if selection.shard is not None:
        chosen = _dealt(chosen, selection.shard)
    return _without(chosen, selection.left_out) if selection.left_out else chosen


def _dealt(rows: Iterator[Row], shard: Shard) -> Iterator[Row]:
    return (row for place, row in enumerate(rows) if shard.takes(place))


def _without(rows: Iterator[Row], left_out: frozenset[int]) -> Iterator[Row]:
    return (row for place, row in enumerate(rows) if place not in left_out)


def _first(rows: Iterator[Row], limit: int) -> Iterator[Row]:
    """The first rows, reading on to the end: a term of `--only` that chooses nothing is still an error."""
    for place, row in enumerate(rows):
        if place < limit:
            yield row


def _only(rows: Callable[[], Iterator[Row]], terms: tuple[str, ...]) -> Iterator[Row]:
    wanted = _Wanted(terms)
    seen = unreadable = 0
    for row in rows():
        seen += 1
        unreadable += row.problem is not None
        if wanted.takes(row):
            yield row
    if wanted.missing:
        missing = [term for term in dict.fromkeys(terms) if term in wanted.missing]
        problems = [_unknown(term, rows, seen, unreadable) for term in missing[:_NAMED]]
        raise SpecError.of([*problems, *_others(missing[_NAMED:])])


class _Wanted:
    """The terms of `--only`, and which of them have chosen no row yet (`missing`)."""

    def __init__(self, terms: tuple[str, ...]) -> None:
        self.missing = set(terms)
        self._ids = frozenset(terms)
        self._numbers: dict[int, list[str]] = {}
        self._lines: dict[int, list[tuple[str | None, str]]] = {}
        for term in terms:
            if found := _NUMBER.fullmatch(term):
                self._numbers.setdefault(int(found[1]), []).append(term)
            if found := _LINE.fullmatch(term):
                self._lines.setdefault(int(found["line"]), []).append((found["file"], term))

    def takes(self, row: Row) -> bool:
        """Whether any term means this row."""
        hits = []
        if row.id in self._ids:
            hits.append(row.id)
        hits += self._numbers.get(row.number, ())
        if row.source.line in self._lines:
            hits += [term for file, term in self._lines[row.source.line] if file in (None, row.source.file)]
        self.missing.difference_update(hits)
        return bool(hits)


def _unknown(term: str, rows: Callable[[], Iterator[Row]], seen: int, unreadable: int) -> Problem:
    at = Position(f"--only {term[:60]}")
    if _NUMBER.fullmatch(term):
        return Problem("unknown-row", f"there is no row `{term}`: the job has {_rows(seen)}", at)
    if _LINE.fullmatch(term):
        return Problem("unknown-row", f"no row starts at `{term}`", at, next="a row is found by the line it starts at")
    what = f"no row has the id `{term}`" + (f"; {_rows(unreadable)} could not be read" if unreadable else "")
    near = _near(term, (row.id for row in rows()))
    step = f"did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else _HOW
    return Problem("unknown-row", what, at, next=step)


def _others(terms: Sequence[str]) -> list[Problem]:
    """The rest, in one line."""
    return [Problem("unknown-row", f"{len(terms):,} more have no row", Position("--only"))] if terms else []


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


_HOW: Final = "`--only` takes an id, `#731` for the 731st row, or `L732` for a line of the source"


def _near(term: str, ids: Iterable[str]) -> list[str]:
    """The three ids that look most like the term, of the first hundred thousand."""
    from difflib import SequenceMatcher  # only ever needed for a message

    matcher = SequenceMatcher(b=term.casefold(), autojunk=False)
    return [one for _, one in nlargest(3, _likenesses(matcher, islice(ids, _COMPARED)))]


def _likenesses(matcher: SequenceMatcher[str], ids: Iterable[str]) -> Iterator[tuple[float, str]]:
    for one in ids:
        matcher.set_seq1(one.casefold())
        if (
            matcher.real_quick_ratio() >= _NEAR
            and matcher.quick_ratio() >= _NEAR
            and (like := matcher.ratio()) >= _NEAR
        ):
            yield like, one
