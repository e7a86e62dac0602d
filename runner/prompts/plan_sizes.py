"""How large the requests of a plan are, asked of its database: what estimates and bounds of its cost are made from.

Bad and identical requests are not sent and do not count. Reads only; `plan.py` owns the tables of requests,
`prefix_ledger.py` those of prefixes. No prices here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from runner.models.cost import BYTES_PER_TOKEN
from runner.records import Terms

Item = TypeVar("Item")
Group = tuple[int, int, int]
"""(requests, tokens of their input, tokens of their output), both of all of them and at most."""

_SENT: Final = "key != x'' AND n NOT IN (SELECT n FROM identical)"
_SIZES: Final = f"""
SELECT model, terms, count(*), sum(bytes), sum(max_tokens), sum(more) FROM request WHERE {_SENT}
GROUP BY model, terms ORDER BY min(n)
"""  # noqa: S608 (constants)
_GROUP: Final = """
SELECT count(*), sum({size}), sum(max_tokens) FROM request
WHERE {sent} AND model = ? AND terms = ? AND {size} > ? AND {size} <= ?
"""
_CACHED: Final = """
SELECT prefix.model, count(*) - count(DISTINCT prefix.parent),
  coalesce(sum(CASE WHEN prefix.parent IS NULL THEN uses END), 0),
  coalesce(sum(prefix.size - coalesce(above.size, 0)), 0),
  coalesce(sum(uses * (prefix.size - coalesce(above.size, 0))), 0)
FROM prefix_shared JOIN prefix USING (id) LEFT JOIN prefix AS above ON above.id = prefix.parent
GROUP BY prefix.model
"""
_BEYOND: Final = 1 << 62


class Size(NamedTuple):
    """Requests to one model on the same terms. bytes: about 3.5 are a token; numbers: what the database calls them.

    max_tokens: the sum of what they may write. more: how many of them may take further calls.
    """

    model: str
    terms: Terms
    requests: int
    bytes: int
    max_tokens: int
    more: int
    numbers: tuple[int, int]


class Cached(NamedTuple):
    """Of one model. uses: requests that have a shared prefix; prefixes, written: what is written once; read: later."""

    prefixes: int
    uses: int
    written_tokens: int
    read_tokens: int


def sizes(db: sqlite3.Connection, models: Any, terms: Any) -> list[Size]:
    """models, terms: number → value."""
    return [
        Size(models[model], terms[on], requests, bytes_, most, more, (model, on))
        for model, on, requests, bytes_, most, more in db.execute(_SIZES).fetchall()
    ]


def bound(db: sqlite3.Connection, size: Size, starts: Sequence[int], *, reply: bool = False) -> Iterator[Group]:
    """The requests in groups, none of which lies on both sides of one of `starts`: tokens at which a price changes.

    reply: what they may write counts as input too, as it does for a model that takes over from another.
    """
    column = "(most + max_tokens)" if reply else "most"
    query = _GROUP.format(size=column, sent=_SENT)
    edges = [-1, *sorted(starts), _BEYOND]
    for low, high in pairwise(edges):
        group = db.execute(query, (*size.numbers, low, high)).fetchone()
        if group[0]:
            yield group


def cached(db: sqlite3.Connection) -> dict[str, Cached]:
    found = {}
    for model, prefixes, uses, written, used in db.execute(_CACHED).fetchall():
        found[model] = Cached(prefixes, uses, tokens_of(written), tokens_of(used - written))
    return found


def sample(db: sqlite3.Connection, model: int, most: int, seed: int) -> dict[int, int]:
    """Place → bytes; by reservoir, so that memory does not grow with the plan."""
    rows = db.execute(f"SELECT n, bytes FROM request WHERE {_SENT} AND model = ? ORDER BY n", (model,))  # noqa: S608
    return dict(sorted(reservoir(rows, most, Random(seed).randrange)))  # noqa: S311 (not a secret)


def reservoir(items: Iterable[Item], most: int, below: Callable[[int], int]) -> list[Item]:
    """Up to so many of the items, each with the same chance. https://en.wikipedia.org/wiki/Reservoir_sampling"""
    kept: list[Item] = []
    for seen, item in enumerate(items):
        if seen < most:
            kept.append(item)
        elif (place := below(seen + 1)) < most:
            kept[place] = item
    return kept


def tokens_of(size: int) -> int:
    return round(size / BYTES_PER_TOKEN)
