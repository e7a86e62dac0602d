"""How large the requests of a plan are, asked of its database: what estimates and bounds of its cost are made from.

Bad and identical requests, and those left out because they have an answer, are not sent and do not count. Reads only;
`plan.py` owns the tables of requests, `prefix_ledger.py` those of prefixes. No prices here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from runner.models.rules import rule_for
from runner.models.text_size import estimated_tokens
from runner.prompts.courses import Follows
from runner.records import Terms

if TYPE_CHECKING:
    from runner.models.worst_case import Group, Leg, Sum

Item = TypeVar("Item")
SENT: Final = "key != x'' AND n NOT IN (SELECT n FROM identical) AND n NOT IN (SELECT n FROM left_out)"
"""What will be sent, of a plan's requests."""

_ALIKE: Final = f"{SENT} AND model = ? AND terms = ? AND follows = ?"
_SIZES: Final = f"""
SELECT model, terms, follows, count(*), sum(bytes), sum(max_tokens) FROM request WHERE {SENT}
GROUP BY model, terms, follows ORDER BY min(n)
"""  # noqa: S608 (constants)
_GROUP: Final = """
SELECT count(*), sum({taken}), sum({written}) FROM request WHERE {alike} AND {longest} > ? AND {longest} <= ?
"""
_ONE: Final = f"""
SELECT id, most, max_tokens FROM request WHERE {_ALIKE} ORDER BY (most * ? + max_tokens * ?) {{order}}, n LIMIT 1
"""  # noqa: S608 (constants)
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
    """Requests to one model on the same terms, of which the same may follow. bytes: about 3.5 are a token.

    max_tokens: the sum of what they may write. numbers: what the database calls model, terms and follows.
    """

    model: str
    terms: Terms
    follows: Follows
    requests: int
    bytes: int
    max_tokens: int
    numbers: tuple[int, int, int]


class Single(NamedTuple):
    """One request: its row, the tokens of its input at most, what it may write."""

    id: str
    most: int
    max_tokens: int


class Cached(NamedTuple):
    """Of one model. uses: requests that have a shared prefix; prefixes, written: what is written once; read: later."""

    prefixes: int
    uses: int
    written_tokens: int
    read_tokens: int


def sizes(db: sqlite3.Connection, models: Any, terms: Any, follows: Any) -> list[Size]:
    """models, terms, follows: number → value."""
    return [
        Size(models[model], terms[on], follows[after], requests, bytes_, most, (model, on, after))
        for model, on, after, requests, bytes_, most in db.execute(_SIZES).fetchall()
    ]


def bound(db: sqlite3.Connection, size: Size, leg: Leg) -> Iterator[tuple[Group, int]]:
    """The requests in groups, none of which lies on both sides of a price tier, with a length on the same side."""
    from runner.models.worst_case import Group  # loads what knows of prices

    written = f"max({_written(size)}, {leg.at_least})"
    longest = _sql(leg.longest, written)
    query = _GROUP.format(
        alike=_ALIKE, taken=_sql(leg.taken, written), written=f"{leg.written} * {written}", longest=longest
    )
    tiers = leg.price.tiers if leg.price else ()
    edges = [-1, *sorted(start for start, _ in tiers), _BEYOND]
    for low, high in pairwise(edges):
        found = db.execute(query, (*size.numbers, low, high)).fetchone()
        if found[0]:
            yield Group(*found), low + 1


def _written(size: Size) -> str:
    """What a call may write: with doubling, twice as much up to the model's limit."""
    if not size.follows.doubles:
        return "max_tokens"
    rules = rule_for(size.model)
    limit = (rules.max_output if rules else None) or _BEYOND
    return f"max(max_tokens, min(2 * max_tokens, {limit}))"


def _sql(sum: Sum, written: str) -> str:
    return f"({sum.input} * most + {sum.output} * {written} + {sum.rest})"


def extreme(db: sqlite3.Connection, size: Size, weights: tuple[float, float], *, dearest: bool) -> Single:
    """The request with the greatest or least sum of input and output, each times its weight."""
    query = _ONE.format(order="DESC" if dearest else "ASC")
    return Single(*db.execute(query, (*size.numbers, *weights)).fetchone())


def cached(db: sqlite3.Connection) -> dict[str, Cached]:
    found = {}
    for model, prefixes, uses, written, used in db.execute(_CACHED).fetchall():
        found[model] = Cached(prefixes, uses, estimated_tokens(written), estimated_tokens(used - written))
    return found


def sample(db: sqlite3.Connection, model: int, most: int, seed: int) -> dict[int, int]:
    """Place → bytes; by reservoir, so that memory does not grow with the plan."""
    rows = db.execute(f"SELECT n, bytes FROM request WHERE {SENT} AND model = ? ORDER BY n", (model,))  # noqa: S608
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
