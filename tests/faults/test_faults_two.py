"""Two processes at one job, and a server that dies under a run and comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_harness import SECONDS, Job, Json, Simulator, comparable, is_good, start_simulator, until, whole_lines
from fault_specs import LATENCY, LEADER, TURNS, Kind
from fault_store import Written

from runner.errors import TryLater

TRY_LATER = 75


def test_two_runs_at_once_give_the_results_of_one(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    one = job(TURNS)
    first, second = one.start(), one.start()
    codes = sorted((first.wait(SECONDS), second.wait(SECONDS)))

    assert codes in ([0, TRY_LATER], [0, 0]), one.said()  # 0 twice: the second came when the first was done
    assert TRY_LATER not in codes or "is being run by process" in one.said()
    assert comparable(whole_lines(one.folders()[0] / "results.jsonl")) == results_of(TURNS)
    asked = Counter(entry["body_hash"] for entry in server.settled())
    assert set(asked.values()) == {1}, "nothing was paid for twice"


def test_the_lock_names_its_holder_while_it_is_held(tmp_path: Path) -> None:
    """On Windows a locked byte cannot be read by others."""
    written = Written(tmp_path)
    with written.open() as run, pytest.raises(TryLater, match=run.run_id):
        written.open()
    written.open().close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[[int], Simulator]]:
    """Starts simulators, the second where the first one was."""
    started: list[Simulator] = []

    def start(port: int) -> Simulator:
        started.append(start_simulator(tmp_path, "--latency", str(LATENCY), port=port))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_a_server_that_dies_and_comes_back_costs_a_wait(
    servers: Callable[[int], Simulator], tmp_path: Path, results_of: Callable[[Kind], list[Json]]
) -> None:
    server = servers(0)
    spec = LEADER.write(tmp_path, run={"concurrency": 2, "retry": {"base": 0.2, "cap": 0.5, "max": 200}})
    job = Job(spec, tmp_path / "out", server.url)
    process = job.start()
    until(lambda: len(server.log()["entries"]) >= 6, alive=process)
    entries, kept = server.log()["entries"], job.kept()
    server.stop()
    until(lambda: "connection" in journal_of(job), alive=process)
    server = servers(int(server.url.rpartition(":")[2]))

    assert process.wait(SECONDS) == 0, job.said()
    asked_again = {entry["body_hash"] for entry in server.settled()}
    assert not asked_again & {e["body_hash"] for e in entries if is_good(e) and e["request_id"] in kept}
    assert comparable(job.results()) == results_of(LEADER)


def journal_of(job: Job) -> str:
    lines = whole_lines(job.folder() / "journal.jsonl")
    return " ".join(line["failure"]["kind"] for line in lines if line["t"] == "failure")
