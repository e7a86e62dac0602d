"""Ctrl-C once and twice, SIGTERM and Ctrl-Break: what came is kept, and running again finishes the job."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from fault_ends import finished_as_undisturbed, missing
from fault_harness import SECONDS, Job, Json, Simulator, until
from fault_specs import LEADER, PLAIN, TURNS, Kind

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only: Windows has no signals to send to one process")
WINDOWS = pytest.mark.skipif(sys.platform != "win32", reason="Windows only: Ctrl-Break")
SLOWLY = {"run": {"concurrency": 3}}
"""So that a run is not over before it hears the signal."""


def stopped(job: Job, server: Simulator, *signals: signal.Signals, **options: int) -> int:
    """Start the job, send it the signals once replies come in, each when the one before was heard; its exit code."""
    process = job.start(**options)
    until(lambda: len(server.log()["entries"]) >= 3, alive=process)
    for number, heard in zip(signals, ("stopping", ""), strict=False):
        if process.poll() is None:
            process.send_signal(number)
            until(lambda heard=heard: heard in job.said(), alive=process)
    return process.wait(SECONDS)


@POSIX
@pytest.mark.parametrize(("number", "code", "kind"), [(signal.SIGINT, 130, TURNS), (signal.SIGTERM, 143, LEADER)])
def test_a_signal_loses_nothing(
    number: signal.Signals,
    code: int,
    kind: Kind,
    job: Callable[..., Job],
    server: Simulator,
    results_of: Callable[[Kind], list[Json]],
) -> None:
    one = job(kind, **SLOWLY)
    ended_politely(one, server, stopped(one, server, number), code)
    goes_on(one, server, results_of(kind))


@WINDOWS
def test_ctrl_break_loses_nothing(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    one = job(PLAIN, **SLOWLY)
    alone = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    ended_politely(one, server, stopped(one, server, signal.CTRL_BREAK_EVENT, **alone), 130)
    goes_on(one, server, results_of(PLAIN))


def ended_politely(job: Job, server: Simulator, ended: int, code: int) -> None:
    """What was in flight has arrived and is on disk. 0: it was done before it heard of the signal."""
    assert ended in (code, 0), job.said()
    entries = server.settled()
    assert missing(entries, job.kept()) == []
    assert {entry["outcome"] for entry in entries} == {"completed"}


def goes_on(job: Job, server: Simulator, expected: Sequence[Json]) -> None:
    """Running the same command again finishes the job, and asks for nothing that was answered."""
    kept = job.kept()
    job.finish()
    finished_as_undisturbed(job, server.settled(), kept, expected)


@POSIX
def test_a_second_ctrl_c_gives_up_what_is_in_flight(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    one = job(TURNS, **SLOWLY)
    assert stopped(one, server, signal.SIGINT, signal.SIGINT) in (130, 0), one.said()
    assert len(missing(server.settled(), one.kept())) <= 3, "no more than were in flight"
    goes_on(one, server, results_of(TURNS))
