"""What a plan asks that earlier runs were not asked: new, changed and why, reused. Pure; earlier runs are an argument.

Counts only, and the first few by name: a plan may have a million requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from runner.prompts.key import PART_BYTES, PARTS
from runner.prompts.plan import PlanLedger
from runner.records import Json

MOST_NAMED: Final = 5
_BATCH: Final = 500
Named: TypeAlias = tuple[str, Mapping[str, Json], int]
"""(id, cell, repeat)"""

Kind: TypeAlias = Literal["new", "changed", "again", "reused", "identical", "answered"]


class Before(Protocol):
    """What a job's earlier runs were asked and have answered; a few hundred at once."""

    def known(self, keys: Sequence[bytes]) -> Collection[bytes]:
        """Those keys that have an answer which may be used again."""
        ...

    def runs_of(self, names: Sequence[Named]) -> Sequence[str | None]:
        """The newest run that had each request."""
        ...

    def had(self, id: str, cell: Mapping[str, Any], repeat: int) -> tuple[str, Mapping[str, str]] | None:
        """(key, parts) of a request in the newest run that had it."""
        ...


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest run to compare with. requests: all it had. whole: it, and the plan, are of every row of the job.

    same: it had this very plan. finished: nothing of it is left to send. retries: runs that took its results over.
    """

    run: str
    requests: int
    whole: bool
    same: bool
    finished: bool
    retries: Collection[str] = ()

    def had(self, run: str | None) -> bool:
        """Whether a request whose newest run is this one was in it."""
        return run == self.run or run in self.retries

    def hides(self, run: str | None) -> bool:
        """Whether it cannot be told of such a request: a later run, as one of a shard is, had it since."""
        return run is not None and run > self.run and run not in self.retries


@dataclass(frozen=True, slots=True)
class Change:
    """One request. parts: those that differ, of `key.PARTS`; () for a new one."""

    id: str
    cell: Mapping[str, Json]
    repeat: int
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """Requests by what becomes of them; together they are those of the plan that can be sent.

    again: asked before, but without an answer that may be used. answered: by the run that goes on. why: parts that
    changed → requests. gone: requests of the newest run that are not in the plan, None where that is not told.
    goes_on: the unfinished run that goes on.
    """

    new: int = 0
    changed: int = 0
    again: int = 0
    reused: int = 0
    identical: int = 0
    answered: int = 0
    why: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    first_new: Sequence[Change] = ()
    first_changed: Sequence[Change] = ()
    newest: Newest | None = None
    gone: int | None = None
    goes_on: str | None = None

    @property
    def sent(self) -> int:
        return self.new + self.changed + self.again


def compare(
    ledger: PlanLedger,
    cells: Sequence[Mapping[str, Json]],
    repeat: int,
    before: Before,
    *,
    reuse: bool = True,
    answered: Callable[[int], int],
    newest: Newest | None = None,
    goes_on: str | None = None,
) -> tuple[Changes, bytearray]:
    """What changes, and a 1 for every request of the plan that is not sent because it has an answer.

    reuse: whether answers may be used again at all. answered: by number, whether the run that goes on has its answer.
    """
    counts: Counter[str] = Counter()
    why: Counter[tuple[str, ...]] = Counter()
    first: dict[str, list[Change]] = {"new": [], "changed": []}
    settled = bytearray(ledger.total)
    still_there, hidden = 0, False
    told = newest is not None and newest.whole and goes_on is None
    same = newest is not None and newest.same
    for batch in _batches(_asked(ledger, cells, repeat)):
        for one, kind, parts, run in _judged(batch, before, reuse, answered, every_run=told and not same):
            counts[kind] += 1
            settled[one.n] = kind in ("reused", "answered")
            still_there += newest is not None and newest.had(run)
            hidden = hidden or (newest is not None and newest.hides(run))
            if kind == "changed":
                why[parts] += 1
            if kind in first and len(first[kind]) < MOST_NAMED:
                first[kind].append(Change(*one.name, parts))
    gone = 0 if same else newest.requests - still_there if newest is not None and not hidden else None
    return (
        Changes(
            **counts,
            why=dict(why.most_common()),
            first_new=first["new"],
            first_changed=first["changed"],
            newest=newest,
            gone=gone if told else None,
            goes_on=goes_on,
        ),
        settled,
    )


class _Asked(NamedTuple):
    """A request of the plan. parts: as the ledger keeps them, in the order of PARTS."""

    n: int
    name: Named
    key: bytes
    parts: bytes
    first: bool


def _asked(ledger: PlanLedger, cells: Sequence[Mapping[str, Json]], repeat: int) -> Iterator[_Asked]:
    """The order of a plan is row, cell, repeat, so that a request's number tells the latter two."""
    for n, id, key, parts, first in ledger.asked():
        yield _Asked(n, (id, cells[n // repeat % len(cells)], n % repeat), key, parts, first)


def _batches(asked: Iterable[_Asked]) -> Iterator[list[_Asked]]:
    rest = iter(asked)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _judged(
    batch: Sequence[_Asked], before: Before, reuse: bool, answered: Callable[[int], int], *, every_run: bool
) -> Iterator[tuple[_Asked, Kind, tuple[str, ...], str | None]]:
    """Each request with what becomes of it, which of its parts changed, and the newest run that had it.

    Nothing is looked up for those that the run that goes on has answered. every_run: tell the run of those whose answer
    is known, too.
    """
    left = [one for one in batch if not answered(one.n)]
    known = before.known([one.key for one in left]) if reuse and left else ()
    had = left if every_run else [one for one in left if one.key not in known]
    runs = dict(zip([one.n for one in had], before.runs_of([one.name for one in had]), strict=True)) if had else {}
    for one in batch:
        run = runs.get(one.n)
        if not one.first:
            yield one, "identical", (), run
        elif answered(one.n):
            yield one, "answered", (), run
        elif one.key in known:
            yield one, "reused", (), run
        else:
            yield (one, *_against(one, before.had(*one.name) if run is not None else None), run)


def _against(one: _Asked, had: tuple[str, Mapping[str, str]] | None) -> tuple[Kind, tuple[str, ...]]:
    """A request that is sent, against what the newest run that had it asked."""
    if had is None:
        return "new", ()
    key, parts = had
    if bytes.fromhex(key) == one.key:
        return "again", ()
    if not parts:  # the line is from before parts were written down
        return "changed", ()
    today = one.parts.hex(" ", PART_BYTES).split(" ")
    return "changed", tuple(part for part, now in zip(PARTS, today, strict=True) if parts.get(part) != now)
