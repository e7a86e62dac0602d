"""An index of answers that is gone, broken or wrong: the results are what counts, and nothing is paid for again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fault_harness import Job, Simulator, simulator, whole_lines
from fault_kills import answer
from fault_specs import LEADER


def half(index: Path) -> None:
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def overwritten(index: Path) -> None:
    content = bytearray(index.read_bytes())
    for place in range(100, len(content), 512):
        content[place : place + 64] = b"\xaa" * 64
    index.write_bytes(content)


def of_another_program(index: Path) -> None:
    index.unlink()
    with closing(sqlite3.connect(index)) as database:
        database.execute("CREATE TABLE answer (something TEXT)")
        database.commit()


def wrong(index: Path) -> None:
    """Sound, but its places lead into the middle of lines."""
    with closing(sqlite3.connect(index)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if "offset" in [column[1] for column in database.execute(f"PRAGMA table_info({table})")]:
                database.execute(f"UPDATE {table} SET offset = offset + 7")  # noqa: S608 - its own tables
        database.commit()


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Simulator]]:
    """A job that has a finished run, and the server that it asked."""
    folder = tmp_path_factory.mktemp("answered")
    with simulator(folder, "--latency", "0") as server:
        job = Job(LEADER.write(folder, run={"concurrency": 20}), folder / "out", server.url)
        job.finish()
        yield job, server


@pytest.mark.parametrize("spoil", [Path.unlink, half, overwritten, of_another_program, wrong])
def test_a_spoilt_index_costs_nothing(spoil: Callable[[Path], None], answered: tuple[Job, Simulator]) -> None:
    job, server = answered
    spoil(job.outputs / LEADER.name / "index.db")
    job.finish()

    assert server.log()["arrived"] == LEADER.rows, f"answers were asked for again:\n{job.said()}"
    runs = [whole_lines(run / "results.jsonl") for run in job.folders()]
    assert [answer(line) for line in runs[-1]] == [answer(line) for line in runs[0]]
    assert all(line["reused_from"]["run"] == job.folders()[0].name for line in runs[-1])
