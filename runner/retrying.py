"""Which requests of an earlier run are sent again, on today's files, and which of its results are taken over.

A row is the same while every request of it has the key it had; what changed since is counted and left out.
Reads the earlier run and changes nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runner.planning import PlannedJob
from runner.records import Request
from runner.store.find import read_run
from runner.store.parent import Had, ParentResults

if TYPE_CHECKING:
    from runner.store import RunWriter

SHOWN_IDS: Final = 5


@dataclass(frozen=True)
class Retry:
    """A run to retry. folder: where it is; run: its id. statuses: what is sent again.

    arguments: the words of the run command that are followed once more.
    """

    folder: Path
    run: str
    statuses: frozenset[str]
    arguments: tuple[str, ...]

    def manifest(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {
            "parent": self.run,
            "retry": {"statuses": sorted(self.statuses), "arguments": list(self.arguments)},
        }

    def sends(self, had: Had | None) -> bool:
        """Whether a request is sent again. What has no result, or failed for a passing reason, always is."""
        return had is None or had.passing or had.status in self.statuses


@dataclass
class Rows:
    """Some rows: how many, and the ids of the first."""

    count: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, id: str) -> None:
        self.count += 1
        if len(self.ids) < SHOWN_IDS:
            self.ids.append(id)


@dataclass
class Compared:
    """Today's plan beside an earlier run. sent, taken: requests to send, and results to take over.

    changed, new: rows that are not sent; left_out: their places in the plan's rows. settled: of each request of the
    other rows, 1 when its result is taken over. gone: results whose request the plan does not have any more.
    """

    sent: int = 0
    taken: int = 0
    changed: Rows = field(default_factory=Rows)
    new: Rows = field(default_factory=Rows)
    left_out: set[int] = field(default_factory=set)
    settled: bytearray = field(default_factory=bytearray)
    gone: int = 0


def compare(planned: PlannedJob, retry: Retry) -> Compared:
    """What sending again would do. Renders every request once more; raises SpecError for inputs that change."""
    compared, known = Compared(), 0
    with ParentResults(retry.folder) as parent:
        whole = parent.count >= read_run(retry.folder)["plan"]["requests"]
        for place, requests in enumerate(rows_of(planned)):
            had = [parent.find(request.id, request.cell, request.repeat) for request in requests]
            known += sum(one is not None for one in had)
            if whole and not any(had):
                compared.new.add(requests[0].id)
                compared.left_out.add(place)
            elif any(changed(request, one, whole) for request, one in zip(requests, had, strict=True)):
                compared.changed.add(requests[0].id)
                compared.left_out.add(place)
            else:
                compared.settled += bytes(not retry.sends(one) for one in had)
        compared.taken = sum(compared.settled)
        compared.sent = len(compared.settled) - compared.taken
        compared.gone = parent.count - known
    return compared


def changed(request: Request, had: Had | None, whole: bool) -> bool:
    """Whether it asks something else than it did. whole: the earlier run has a result of every request it planned."""
    return whole if had is None else had.key != request.key


def rows_of(planned: PlannedJob) -> Iterator[list[Request]]:
    """The requests of the plan, a list for each row."""
    requests, per_row = planned.requests(), planned.plan.cells * planned.plan.repeat
    while row := list(islice(requests, per_row)):
        yield row


def take_over(planned: PlannedJob, run: RunWriter, retry: Retry) -> bytearray:
    """Write the results that stay as results of this run. Returns 1 for each request of the plan to send, else 0."""
    sends = bytearray(planned.plan.requests)
    with ParentResults(retry.folder) as parent:
        for request in planned.requests():
            had = parent.find(request.id, request.cell, request.repeat)
            if had is None or retry.sends(had):
                sends[request.n] = 1
            elif not run.has_result(request.n):
                run.write_reused(request, parent.line(had.offset))
    return sends
