"""What the tests of faults share: a simulator a test, and what undisturbed runs of the jobs give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_harness import Job, Json, Simulator, simulator
from fault_kills import Undisturbed, undisturbed
from fault_specs import LATENCY, Kind


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Simulator]:
    with simulator(tmp_path, "--latency", str(LATENCY)) as started:
        yield started


@pytest.fixture
def job(tmp_path: Path, server: Simulator) -> Callable[..., Job]:
    """Makes a job of this kind that asks `server`; fields: of its spec."""

    def make(kind: Kind, **fields: object) -> Job:
        return Job(kind.write(tmp_path, **fields), tmp_path / "out", server.url)

    return make


@pytest.fixture(scope="session")
def results_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], list[Json]]:
    """What an undisturbed run of this kind of job gives, in order, comparable."""
    known: dict[str, Undisturbed] = {}

    def results(kind: Kind) -> list[Json]:
        if kind.name not in known:
            known[kind.name] = undisturbed(kind, tmp_path_factory.mktemp("undisturbed") / kind.name)
        return list(known[kind.name].results)

    return results
