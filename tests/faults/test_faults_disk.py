"""Disks that are full, that fail, that let nobody write, and folders that go away while a run writes into them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_ends import finished_as_undisturbed, missing
from fault_harness import PROMPTRUN, SECONDS, Job, Json, Simulator, read_json, until, whole_lines
from fault_specs import LEADER, TURNS, Kind

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only: no file limits, modes or unlinking while open")
CANNOT_WRITE = 74
CONCURRENCY = 8
FILE_LIMIT = """
import os, resource, sys
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # or half of what it compiles stays, and no other test can import that
resource.setrlimit(resource.RLIMIT_FSIZE, (@, @))
os.execv(sys.argv[1], sys.argv[1:])
"""
NOT_ALMIGHTY = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root may write everywhere
    assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0 or os.getuid()
os.execv(sys.argv[1], sys.argv[1:])
"""
BROKEN_DISK = (sys.executable, "-P", Path(__file__).with_name("broken_disk.py"))


def limited_to(size: int) -> list[str]:
    """The command, when no file may grow beyond so many bytes. A write that begins below stops there, as on a disk."""
    return [sys.executable, "-c", FILE_LIMIT.replace("@", str(size)), *PROMPTRUN]


def goes_on(job: Job, server: Simulator, expected: list[Json]) -> None:
    """Once there is space again, the same command finishes the job and asks for nothing that is on disk."""
    kept = job.kept()
    job.finish()
    finished_as_undisturbed(job, server.settled(), kept, expected)


@POSIX
def test_a_full_disk_ends_the_run_at_once_keeps_what_is_there_and_shows_what_is_not(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    one = job(TURNS)
    assert one.run(command=limited_to(20_000)) == CANNOT_WRITE, one.said()
    entries, kept, told = server.settled(), one.kept(), one.said()
    assert "could not write" in told
    assert "run the same command again" in told
    assert kept
    lost = missing(entries, kept)
    assert len(lost) <= CONCURRENCY, "nothing is sent any more, so only what was in flight is lost"
    assert any(request_id in told for request_id in lost), "the reply that could not be written is shown"
    goes_on(one, server, results_of(TURNS))


def test_a_failing_fsync_ends_the_run_and_keeps_what_is_there(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    one = job(LEADER, run={"concurrency": 2})
    assert one.run(command=[*BROKEN_DISK, "fsync"]) == CANNOT_WRITE, one.said()
    assert "could not write" in one.said()
    goes_on(one, server, results_of(LEADER))


@POSIX
def test_results_put_in_order_in_a_folder_that_cannot_be_synced_are_still_read_where_they_are(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    one = job(TURNS)
    assert one.run(command=[*BROKEN_DISK, "folder"]) == CANNOT_WRITE, one.said()
    assert [line["n"] for line in one.results()] == list(range(TURNS.rows))
    goes_on(one, server, results_of(TURNS))


def test_results_that_cannot_be_replaced_stay_in_order_of_arrival(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    one = job(TURNS)
    assert one.run(command=[*BROKEN_DISK, "order"]) == 0, one.said()
    assert read_json(one.folder() / "run.json")["ordered"] is False
    assert "order of arrival" in str(read_json(one.folder() / "run.json")["notes"])
    assert sorted(line["n"] for line in one.results()) == list(range(TURNS.rows))
    assert not list(one.folder().glob(".*")), "no half-written file is left"


@pytest.mark.skipif(sys.platform != "win32", reason="Windows only: elsewhere a file may be replaced while it is read")
def test_results_that_somebody_reads_stay_in_order_of_arrival(job: Callable[..., Job], server: Simulator) -> None:
    one = job(TURNS)
    process = one.start()
    until(lambda: one.folders() and (one.folder() / "results.jsonl").exists(), alive=process)
    with (one.folder() / "results.jsonl").open("rb"):
        assert process.wait(SECONDS) == 0, one.said()
    assert read_json(one.folder() / "run.json")["ordered"] is False
    assert sorted(line["n"] for line in one.results()) == list(range(TURNS.rows))


# ---------------------------------------------------------------- folders


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """An outputs folder in which nobody may write."""
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@POSIX
@pytest.mark.skipif(sys.platform == "darwin", reason="Linux only: elsewhere root cannot be kept from writing")
def test_a_read_only_outputs_folder_sends_nothing(locked: Path, job: Callable[..., Job], server: Simulator) -> None:
    one = job(LEADER)
    assert one.run(command=[sys.executable, "-c", NOT_ALMIGHTY, *PROMPTRUN]) == CANNOT_WRITE, one.said()
    assert str(locked) in one.said()
    assert server.log()["arrived"] == 0


@POSIX
def test_a_results_folder_that_is_removed_ends_the_run(
    job: Callable[..., Job], server: Simulator, results_of: Callable[[Kind], list[Json]]
) -> None:
    """Writes to a file that was removed succeed silently: nobody would ever see those replies."""
    one = job(LEADER, run={"concurrency": 1})
    process = one.start()
    until(lambda: len(server.log()["entries"]) >= 6, alive=process)
    shutil.rmtree(one.folder())
    assert process.wait(SECONDS) == CANNOT_WRITE, one.said()
    assert one.outputs.name in one.said()
    assert server.settled()[-1]["ordinal"] < LEADER.rows, "nothing more is sent"
    one.finish()
    assert [line["text"] for line in one.results()] == [line["text"] for line in results_of(LEADER)]


@POSIX
def test_a_results_folder_that_is_moved_ends_the_run_and_keeps_what_is_there(
    job: Callable[..., Job], server: Simulator, tmp_path: Path
) -> None:
    one = job(LEADER, run={"concurrency": 1})
    process = one.start()
    until(lambda: len(server.log()["entries"]) >= 6, alive=process)
    moved = one.folder().rename(tmp_path / "moved")
    assert process.wait(SECONDS) == CANNOT_WRITE, one.said()
    lines = whole_lines(moved / "results.jsonl")
    assert lines
    assert all(line["good"] for line in lines)
    assert server.settled()[-1]["ordinal"] < LEADER.rows, "nothing more is sent"
