"""Kill a run again and again until it is done, then compare what is on disk with what the simulator answered.

Received: the simulator wrote the last byte of a good reply `GRACE` seconds before the kill. Such a reply is to be on
disk right after the kill and in the results of the finished run, and its request is never to be sent again.
A process that a busy machine did not let run in those seconds looks like one that lost a reply.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from fault_harness import (
    SECONDS,
    Job,
    Json,
    Simulator,
    answered_calls,
    comparable,
    is_good,
    read_json,
    simulator,
    until,
    whole_lines,
)
from fault_moments import Moment, Watch
from fault_specs import LATENCY, Kind

GRACE = 0.15
KILLED = 1 if sys.platform == "win32" else -signal.SIGKILL
"""The exit code of a killed process."""


@dataclass(frozen=True)
class Kill:
    """at: seconds since 1970, just before the signal. moment: what was waited for. kind: of job.

    in_flight: requests that had arrived and had no whole reply yet. received: replies of this sitting that it must
    have kept; surely_received: see `kill_repeatedly`. kept: request ids on disk right after. half_written: whether
    a file was left under its temporary name, or a change of the index half made.
    """

    at: float
    moment: str
    kind: str
    in_flight: int
    received: frozenset[str]
    surely_received: frozenset[str]
    kept: frozenset[str]
    half_written: bool


@dataclass
class Figure:
    """What all kills came to. resent: answered requests that were sent again. maybe_billed: attempts that the runs'
    usage reports as paid for without an answer; unanswered: those there really were, by the simulator's log."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    lost: list[str] = field(default_factory=list)
    resent: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    received: int = 0
    unanswered: int = 0
    maybe_billed: int = 0

    def of_kinds(self, *names: str) -> int:
        return sum(kill.kind in names for kill in self.kills)

    @property
    def in_flight(self) -> int:
        return sum(kill.in_flight > 0 for kill in self.kills)

    def __str__(self) -> str:
        moments = Counter(kill.moment for kill in self.kills)
        kinds = Counter(kill.kind for kill in self.kills)
        return "\n".join(
            [
                f"{len(self.kills)} kills of {self.runs} runs: "
                f"{self.in_flight} with requests in flight ({sum(kill.in_flight for kill in self.kills)} requests)",
                f"  during    {listed(moments)}; {sum(kill.half_written for kill in self.kills)} within a whole file",
                f"  of jobs   {listed(kinds)}",
                f"{self.received} replies received, {len(self.lost)} lost",
                f"{len(self.resent)} answered requests sent again",
                f"{len(self.differing)} runs with other results than an undisturbed one",
                f"{self.unanswered} requests sent without an answer, {self.maybe_billed} reported as maybe billed",
            ]
        )


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


@dataclass(frozen=True)
class Undisturbed:
    """The same job without a kill. planning: seconds to its first request."""

    planning: float
    results: Sequence[Json]


def undisturbed(kind: Kind, folder: Path) -> Undisturbed:
    folder.mkdir()
    with simulator(folder, "--latency", str(LATENCY), *kind.words) as server:
        job = Job(kind.write(folder), folder / "out", server.url)
        begun, process = time.monotonic(), job.start()
        until(lambda: server.log()["arrived"], alive=process)
        planning = time.monotonic() - begun
        assert process.wait(SECONDS) == 0, job.said()
        return Undisturbed(planning, comparable(job.results()))


def kill_repeatedly(
    kind: Kind,
    moments: Sequence[Moment],
    seed: int,
    folder: Path,
    expected: Undisturbed,
    figure: Figure,
    *,
    cautious: bool = False,
) -> None:
    """One run of the job, killed at these moments, one a sitting, and run again until it is done.

    cautious: count only what arrived `GRACE` seconds before the process last sent something, too: on a busy machine
    it may stand still for a while.
    """
    folder.mkdir()
    rng = random.Random(seed)
    with simulator(folder, "--latency", str(LATENCY), *kind.words) as server:
        job = Job(kind.write(folder), folder / "out", server.url)
        kills = list(killed(kind, job, server, moments, rng, expected.planning))
        job.finish()
        entries = server.settled()
    judge(job, kills, entries, expected, figure, cautious=cautious)


def killed(
    kind: Kind, job: Job, server: Simulator, moments: Sequence[Moment], rng: random.Random, planning: float
) -> Iterator[Kill]:
    """A sitting for each moment. One that ends before its kill ends well, and the run is done."""
    for moment in moments:
        first, process = server.log()["arrived"], job.start()
        try:
            due = moment(Watch(process, server, job, rng, planning, first))
        finally:
            at = time.time()
            process.kill()
            code = process.wait(SECONDS)
        if code == 0:
            return
        assert due, f"it ended with {code} although nobody killed it:\n{job.said()}"
        assert code == KILLED, f"it ended with {code} before it was killed:\n{job.said()}"
        entries = [entry for entry in server.settled() if entry["ordinal"] > first]
        yield Kill(
            at,
            moment.__name__,
            kind.name,
            in_flight=sum(entry["at"] <= at < entry["ended"] for entry in entries),
            received=received(entries, at),
            surely_received=received(entries, max((e["at"] for e in entries if e["at"] < at), default=0.0)),
            kept=frozenset(job.kept()),
            half_written=any(job.outputs.glob("*/*/.*.tmp")) or any(job.outputs.glob("*/index.db-journal")),
        )


def received(entries: Sequence[Json], at: float) -> frozenset[str]:
    """The request ids of good replies that were there `GRACE` seconds before."""
    return frozenset(entry["request_id"] for entry in entries if is_good(entry) and entry["ended"] <= at - GRACE)


def judge(
    job: Job, kills: Sequence[Kill], entries: Sequence[Json], expected: Undisturbed, figure: Figure, *, cautious: bool
) -> None:
    """Add one finished run to the figure."""
    runs = [whole_lines(folder / "results.jsonl") for folder in job.folders()]
    answered = set(chain.from_iterable(answered_calls(line["calls"]) for lines in runs for line in lines))
    last = max((kill.at for kill in kills), default=0.0)
    had = {entry["request_id"] for entry in entries if is_good(entry) and entry["at"] > last}
    lost = set()
    for kill in kills:
        there = kill.surely_received if cautious else kill.received
        lost |= there - kill.kept
        had |= there | kill.kept
    figure.runs += 1
    figure.kills += kills
    figure.received += len(had)
    figure.lost += sorted(lost | (had - answered))
    figure.resent += resent(entries, had)
    if differs := difference(runs, expected):
        figure.differing.append(f"{job.outputs}: {differs}")
    figure.unanswered += sum(
        entry["outcome"] in ("completed", "abandoned") and entry["request_id"] not in answered for entry in entries
    )
    figure.maybe_billed += read_json(job.folders()[0] / "usage.json")["maybe_billed"]["attempts"]


def difference(runs: Sequence[Sequence[Json]], expected: Undisturbed) -> str | None:
    """How the job's results differ from those of an undisturbed run, times, ids and attempts aside.

    A run that was killed after its last write is finished: the next one finds every answer in it.
    """
    first, newest = comparable(runs[0]), [answer(line) for line in runs[-1]]
    wanted = [answer(line) for line in expected.results]
    if first == expected.results and newest == wanted:
        return None
    pairs = [*zip(first, expected.results, strict=False), *zip(newest, wanted, strict=False)]
    fields = {(was["n"], name) for is_, was in pairs for name in was if is_.get(name) != was[name]}
    return f"runs of {[len(run) for run in runs]} results differ in (n, field) {sorted(fields)[:5]}"


def answer(line: Json) -> Json:
    return {name: line[name] for name in ("n", "id", "cell", "repeat", "status", "good", "text", "output")}


def resent(entries: Sequence[Json], had: AbstractSet[str]) -> list[str]:
    """Messages asked for after a reply that we had to the same body. No job here asks the same thing twice."""
    answered_at: dict[str, float] = {}
    for entry in sorted((entry for entry in entries if entry["request_id"] in had), key=lambda entry: entry["ended"]):
        answered_at.setdefault(entry["body_hash"], entry["ended"])
    return [e["request_id"] for e in entries if e["at"] > answered_at.get(e["body_hash"], float("inf"))]
