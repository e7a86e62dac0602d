"""Like make: what an earlier run of the job answered is written down as this run's result, and not sent.

Comes before any client is opened: a run that has every answer already needs neither credentials nor a network.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from runner.inputs import read_rows
from runner.planning import PlannedJob
from runner.prompts.judge import judge
from runner.records import Judgement, Request, Row
from runner.sitting import RunOptions, job_folder
from runner.spec.job import CellSpec
from runner.store.reuse import Earlier
from runner.store.reused import calls_to_judge

if TYPE_CHECKING:
    from runner.engine.stop import Stop
    from runner.store import RunWriter

    _Places: TypeAlias = array[int]

_BATCH: Final = 500
"""Keys asked for at once, and requests between two looks at the signals that came."""


def _nobody(job: str, done: int, total: int) -> None:
    """Nobody wants to know."""


class Known:
    """Which requests of a plan earlier runs have answered, and where. earlier: None when nothing is to be reused."""

    def __init__(self, one: PlannedJob, earlier: Earlier | None) -> None:
        self.one = one
        self.earlier = earlier
        self._places: _Places | None = None

    def places(self, skip: Callable[[int], bool] = lambda n: False) -> _Places:
        """Of each request, where `earlier` has the answer; 0 for one without.

        skip: numbers that nobody wants to know of; the first call decides.
        """
        if self._places is None:
            self._places = array("Q", bytes(8 * self.one.plan.requests))
            if self.earlier is not None and self.earlier.any:
                self._look(self.earlier, self._places, skip)
        return self._places

    def _look(self, earlier: Earlier, places: _Places, skip: Callable[[int], bool]) -> None:
        wanted = ((n, bytes.fromhex(key)) for n, key in enumerate(self.one.ledger.keys()) if key and not skip(n))
        while batch := list(islice(wanted, _BATCH)):
            found = earlier.places([key for _, key in batch])
            for n, key in batch:
                places[n] = found.get(key, 0)

    @property
    def notes(self) -> Sequence[str]:
        """For people: what took longer than it should."""
        return self.earlier.notes if self.earlier is not None else ()

    def forget(self) -> None:
        """Nobody asks any more: eight bytes a request are free for what comes next."""
        self._places = None

    def is_all(self) -> bool:
        """Whether nothing is left to send: rows that cannot be sent are not sent."""
        places = self.places()
        return len(places) - places.count(0) + self.one.plan.bad >= self.one.plan.requests


@contextmanager
def earlier_answers(one: PlannedJob, options: RunOptions, *, now: str, but: str | None) -> Iterator[Known]:
    """What may be used again by this run. now: RFC 3339. but: the run that goes on."""
    if options.starts_anew or not one.job.run.reuse.on:
        yield Known(one, None)
        return
    folder = job_folder(one.job, options.outputs, simulate=options.simulate)
    with looking_back(one, folder, simulated=options.simulate, now=now, but=but) as earlier:
        yield Known(one, earlier)


@contextmanager
def looking_back(one: PlannedJob, folder: Path, *, simulated: bool, now: str, but: str | None) -> Iterator[Earlier]:
    """The answers of earlier runs that count for this job: a simulator's at the address of a simulator too."""
    with Earlier(folder, simulated=simulated, max_age=one.job.run.reuse.max_age, now=now, but=but) as earlier:
        if not simulated and " " in one.options.service and earlier.holds_simulated():
            from runner.claude.simulated import asks_simulator

            earlier.simulated = asks_simulator(one.options.service)
        yield earlier


def leaves_some(one: PlannedJob, skip: Callable[[int], bool]) -> bool:
    """Whether a request is left that can be sent. skip: numbers of those that are not."""
    return any(key and not skip(n) for n, key in enumerate(one.ledger.keys()))


async def answer_known(
    one: PlannedJob, run: RunWriter, known: Known, stop: Stop, tell: Callable[[str, int, int], None] = _nobody
) -> None:
    """Write down what earlier runs answered; a request whose answer cannot be found any more stays to be sent.

    tell: told every few hundred requests: the job, how many answers are written down, and of how many that are known.
    Raises OutputError, and SpecError for inputs that change.
    """
    import asyncio  # `plan` has no use for it

    earlier = known.earlier
    if earlier is None or run.fresh:
        return
    places = known.places(run.answered)
    known_of = len(places) - places.count(0)
    if not known_of:
        return
    try:
        for answers in (_as_they_were, _judged_anew):
            for at, _ in enumerate(answers(one, run, earlier, places)):
                if at % _BATCH == 0:
                    tell(one.job.name, run.reused, known_of)
                    await asyncio.sleep(0)
                    if stop.reason:
                        return
    finally:
        known.forget()
        earlier.close()  # Windows cannot put results in order while they are read


def _as_they_were(one: PlannedJob, run: RunWriter, earlier: Earlier, places: _Places) -> Iterator[None]:
    """The good answers to plain questions: today's spec can only say the same of them, so nothing is rendered."""
    plain = [not cell.fields.keys() & {"output", "turns"} for cell in one.job.cells]
    if not any(plain):
        return
    for n, (key, (row, cell, repeat)) in enumerate(zip(one.ledger.keys(), _requests(one), strict=False)):
        if places[n] and plain[cell] and not row.overrides and not run.answered(n):
            answer = earlier.answer(key, places[n])
            if answer is None:
                places[n] = 0
            elif answer["status"] == "ok":
                run.write_reused(_unrendered(n, row, one.job.cells[cell], repeat, key, answer), answer)
        yield


def _requests(one: PlannedJob) -> Iterator[tuple[Row, int, int]]:
    """(row, number of its cell, repeat) of every request, in order."""
    for row in read_rows(one.job, one.options.selection, stdin=one.stdin, stamps=one.stamps):
        for cell in range(len(one.job.cells)):
            for repeat in range(one.job.repeat):
                yield row, cell, repeat


def _unrendered(n: int, row: Row, cell: CellSpec, repeat: int, key: str, answer: Mapping[str, Any]) -> Request:
    """As much of a request as its result says of it. Equal keys have equal parts."""
    return Request(
        n=n,
        id=row.id,
        cell=cell.values,
        repeat=repeat,
        key=key,
        model=answer["model"]["asked"],
        max_tokens=0,
        body=b"",
        source=row.source,
        row=row.values,
        parts=answer.get("parts") or {},
    )


def _judged_anew(one: PlannedJob, run: RunWriter, earlier: Earlier, places: _Places) -> Iterator[None]:
    """All the others, with today's verdict."""
    if all(run.answered(n) for n, known in enumerate(places) if known):
        return
    for request in one.requests(lambda n: not places[n] or run.answered(n)):
        answer = earlier.answer(request.key, places[request.n])
        if answer is not None:
            run.write_reused(request, answer, verdict_on(request, answer))
        yield


def verdict_on(request: Request, answer: Mapping[str, Any]) -> Judgement | None:
    """What today's spec says of an answer; None where the one it had stands: it was not kept whole, or a spec that
    wants more calls than were made would have to pay for them again."""
    calls = calls_to_judge(answer)
    verdict = judge(request, calls) if calls else None
    return None if verdict is None or verdict.status == "failed" else verdict
