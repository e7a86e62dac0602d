"""Counts which prefixes the requests of a plan share, in the plan's temporary database, and chooses breakpoints.

Memory does not grow with the requests: of each one, only the last of its ends is kept, since it implies the others.
Identical requests are sent once and count once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from runner.models.text_size import BYTES_PER_TOKEN
from runner.prompts.breakpoints import Choice
from runner.records import PrefixEnd, Request

MOST_BREAKPOINTS: Final = 3
"""The API takes four; one is left for a conversation that moves on."""

SECONDS_A_REQUEST: Final = 10
"""A guess, for how far apart the uses of a prefix lie."""

SHORT_LIFE: Final = 300
_REMEMBERED: Final = 20_000
_Node: TypeAlias = tuple[int, int | None, int, int, bool, str]
_TABLES: Final = """
CREATE TABLE prefix_seen (id INTEGER, parent INTEGER, size INTEGER, depth INTEGER, system INTEGER, model TEXT);
CREATE TABLE prefix_leaf (n INTEGER PRIMARY KEY, id INTEGER);
CREATE TABLE prefix (id INTEGER PRIMARY KEY, parent INTEGER, size INTEGER, depth INTEGER, system INTEGER, model TEXT);
CREATE TABLE prefix_tally (id INTEGER, depth INTEGER, uses INTEGER, first INTEGER, last INTEGER);
CREATE TABLE prefix_use (id INTEGER PRIMARY KEY, uses INTEGER, first INTEGER, last INTEGER);
CREATE TABLE prefix_shared (id INTEGER PRIMARY KEY, uses INTEGER);
"""
_NODES: Final = """
INSERT INTO prefix SELECT id, min(parent), min(size), min(depth), max(system), min(model) FROM prefix_seen GROUP BY id
"""
_LEAVES: Final = """
INSERT INTO prefix_tally SELECT leaf.id, prefix.depth, count(*), min(n), max(n)
FROM prefix_leaf AS leaf JOIN prefix USING (id)
WHERE n NOT IN (SELECT n FROM identical) AND n NOT IN (SELECT n FROM left_out) GROUP BY leaf.id
"""
_UP: Final = """
INSERT INTO prefix_tally SELECT prefix.parent, prefix.depth - 1, sum(uses), min(first), max(last)
FROM prefix_tally AS tally JOIN prefix USING (id) WHERE tally.depth = ? AND prefix.parent IS NOT NULL
GROUP BY prefix.parent
"""
_USES: Final = "INSERT INTO prefix_use SELECT id, sum(uses), min(first), max(last) FROM prefix_tally GROUP BY id"
_SHARED: Final = "INSERT INTO prefix_shared SELECT id, uses FROM prefix_use WHERE uses > 1"
_SPREAD: Final = """
SELECT coalesce(sum(last - first), 0), coalesce(sum(uses - 1), 0), coalesce(max(uses), 0)
FROM prefix_use WHERE uses > 1
"""
_PLANNED: Final = """
SELECT count(*) - count(DISTINCT prefix.parent), coalesce(sum(CASE WHEN prefix.parent IS NULL THEN uses END), 0),
  coalesce(sum(prefix.size - coalesce(above.size, 0)), 0),
  coalesce(sum(uses * (prefix.size - coalesce(above.size, 0))), 0)
FROM prefix_shared JOIN prefix USING (id) LEFT JOIN prefix AS above ON above.id = prefix.parent
"""
_UNSHARED: Final = """
SELECT prefix.model, count(*), sum(prefix.size - CASE WHEN shared.id IS NULL THEN 0 ELSE above.size END)
FROM prefix_use JOIN prefix USING (id) LEFT JOIN prefix AS above ON above.id = prefix.parent
LEFT JOIN prefix_shared AS shared ON shared.id = prefix.parent
WHERE prefix_use.uses = 1 AND {only} GROUP BY prefix.model ORDER BY min(prefix_use.first)
"""
_SHORTEST: Final = """
SELECT model, min(size) FROM prefix JOIN prefix_shared USING (id) GROUP BY model ORDER BY min(id)
"""


@dataclass(frozen=True, slots=True)
class Unshared:
    """Requests to one model whose prefix nobody else has. tokens: of what they do not share, in all; an estimate."""

    model: str
    requests: int
    tokens: int


class PrefixLedger:
    """The prefixes of one plan. `note` every request, `count` once, then ask."""

    def __init__(self, db: sqlite3.Connection, *, kept_ttl: str | None = None) -> None:
        """kept_ttl: of a database that holds a whole plan already; None: it is empty."""
        self._db = db
        self._seen: dict[int, None] = {}
        self._known: dict[int, int] = {}
        self.ttl = kept_ttl or "5m"
        if kept_ttl is None:
            self._db.executescript(_TABLES)
        self._noted = kept_ttl is not None and bool(self._one("SELECT count(*) FROM prefix"))
        self._any = self._noted and bool(self._one("SELECT count(*) FROM prefix_shared"))

    def note(self, requests: Iterable[Request]) -> None:
        """Keep the ends of these requests."""
        nodes: list[_Node] = []
        leaves: list[tuple[int, int]] = []
        for request in requests:
            if not request.ends:
                continue
            leaves.append((request.n, request.ends[-1].id))
            if request.ends[-1].id not in self._seen:
                self._add(request.ends, request.model, nodes)
        if leaves:
            self._noted = True
            self._db.executemany("INSERT INTO prefix_seen VALUES (?, ?, ?, ?, ?, ?)", nodes)
            self._db.executemany("INSERT INTO prefix_leaf VALUES (?, ?)", leaves)

    def _add(self, ends: Sequence[PrefixEnd], model: str, nodes: list[_Node]) -> None:
        parent: int | None = None
        system = max((depth for depth, end in enumerate(ends) if end.place[0] == "system"), default=-1)
        for depth, end in enumerate(ends):
            if end.id not in self._seen:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[end.id] = None
                nodes.append((end.id, parent, end.size, depth, depth == system, model))
            parent = end.id

    def count(self, *, ttl: str = "auto", concurrency: int = 1) -> None:
        """Sum up, after identical requests were found. ttl: the job's; `auto` goes by how far apart uses lie."""
        if self._noted:
            self._db.execute(_NODES)
            self._tally()
        self.ttl = self._chosen_ttl(ttl, concurrency)

    def count_again(self) -> None:
        """Sum up anew, after requests were left out. Prefixes live as long as before."""
        if self._noted:
            for table in ("prefix_tally", "prefix_use", "prefix_shared"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 (constants)
            self._known.clear()
            self._tally()

    def _tally(self) -> None:
        self._db.execute(_LEAVES)
        for depth in range(self._one("SELECT coalesce(max(depth), 0) FROM prefix"), 0, -1):
            self._db.execute(_UP, (depth,))
        self._db.execute(_USES)
        self._db.execute(_SHARED)
        self._any = bool(self._one("SELECT count(*) FROM prefix_shared"))

    def _chosen_ttl(self, ttl: str, concurrency: int) -> str:
        """An hour when two uses lie more than five minutes apart and there are enough of them to pay for it.

        Every use starts the five minutes anew. Writing for an hour costs 2, reading at most 0.1 of the input price.
        """
        if ttl != "auto":
            return ttl
        span, steps, most = self._db.execute(_SPREAD).fetchone()
        apart = span / steps * SECONDS_A_REQUEST / concurrency if steps else 0.0
        return "1h" if apart > SHORT_LIFE and most > 2 else "5m"

    def choose(self, ends: Sequence[PrefixEnd]) -> Choice:
        """The longest prefix that others have too, and the shorter ones that still more requests share."""
        chosen: list[PrefixEnd] = []
        if self._any:
            most = 1
            for end in reversed(ends):
                uses = self._uses(end.id)
                if uses > most:
                    chosen.append(end)
                    most = uses
        return [*reversed([*chosen[:1], *chosen[1:][1 - MOST_BREAKPOINTS :]])], self.ttl

    def _uses(self, id: int) -> int:
        """How many requests share a prefix, 0 when at most one has it."""
        uses = self._known.get(id)
        if uses is None:
            found = self._db.execute("SELECT uses FROM prefix_shared WHERE id = ?", (id,)).fetchone()
            uses = int(found[0]) if found else 0
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[id] = uses
        return uses

    # ------------------------------------------------------------ what the plan says

    def planned(self) -> tuple[int, int, int, int]:
        """(prefixes written, requests that have one, tokens of those prefixes, tokens of all their uses)."""
        writes, uses, size, used = self._db.execute(_PLANNED).fetchone()
        return writes, uses, _tokens(size), _tokens(used)

    def unshared(self, *, system: bool) -> list[Unshared]:
        """Those whose last end nobody shares. system: those whose system prompt nobody shares."""
        only = "prefix.system" if system else "prefix_use.id IN (SELECT id FROM prefix_leaf)"
        rows = self._db.execute(_UNSHARED.format(only=only))
        return [Unshared(model, requests, _tokens(size)) for model, requests, size in rows]

    def shortest_shared(self) -> list[tuple[str, int]]:
        """(model, tokens of the shortest prefix that its requests share)."""
        return [(model, _tokens(size)) for model, size in self._db.execute(_SHORTEST)]

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])


def _tokens(size: int) -> int:
    return round(size / BYTES_PER_TOKEN)
