"""How a run is kept when something fails under it, what `run.keep` leaves out, and who waits for the disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from store_job import USAGE, Job, attempt, ok, plan_of, request

from runner.errors import OutputError
from runner.records import Call
from runner.spec.job import Keep
from runner.store import earlier_lengths, open_run, read_results, read_run, read_usage
from runner.store.files import AppendFile, Gone
from runner.store.syncing import GroupedSync

POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody remove a file that is open")


def read(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def opened(job: Job, total: int = 2, **options: Any) -> Any:
    return open_run(job.folder, manifest=job.manifest(), plan=plan_of(total), clock=job.clock, **options)


class Failing:
    """A file that no disk takes."""

    path = Path("results.jsonl")

    def sync(self) -> None:
        raise OSError(5, "Input/output error")


# ---------------------------------------------------------------- a folder that goes away


@POSIX_ONLY
def test_a_reply_after_the_folder_was_removed_goes_out_with_the_error(job: Job) -> None:
    run = job.open(3)
    run.done(ok(0))
    shutil.rmtree(run.folder)
    with pytest.raises(OutputError, match="was removed or moved while it was being written") as caught:
        run.sent(request(2), 1, job.clock.utc(), 0.01)  # the first to fail is what ends the run, and it holds no reply
    with pytest.raises(OutputError):
        run.done(ok(1))
    with pytest.raises(OutputError) as later:
        run.replied(request(2), ok(2).calls[0], 0)
    run.__exit__(OutputError, later.value, None)
    first, second = map(orjson.loads, caught.value.unwritten)
    assert (first["n"], first["text"], second["t"], second["n"]) == (1, "answer 1", "reply", 2)


@POSIX_ONLY
def test_a_folder_that_was_moved_is_noticed_at_the_latest_at_the_end(job: Job) -> None:
    with job.open(1) as run:
        run.done(ok(0))
        moved = run.folder.rename(job.root / "elsewhere")
        with pytest.raises(OutputError, match="removed or moved"):
            run.finish()
    assert [line["n"] for line in read(moved / "results.jsonl")] == [0]


@POSIX_ONLY
def test_a_file_put_in_the_place_of_ours_is_noticed(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "journal.jsonl")
    file.append(b"{}")
    file.sync()
    (tmp_path / "journal.jsonl").rename(tmp_path / "old")
    (tmp_path / "journal.jsonl").write_bytes(b"")
    with pytest.raises(Gone):
        file.sync()
    file.close()


def test_an_error_that_ends_a_run_is_not_hidden_by_one_on_closing(job: Job) -> None:
    run = job.open()
    run._sync.files = [Failing()]
    run.__exit__(OutputError, OutputError("first"), None)
    other = job.open(2, fresh=True)
    other._sync.files = [Failing()]
    with pytest.raises(OutputError, match="Input/output error"):
        other.__exit__(None, None, None)


# ---------------------------------------------------------------- durability


class SlowFile:
    """A file whose sync lasts until it is let go. synced: how many syncs were begun."""

    path = Path("results.jsonl")

    def __init__(self) -> None:
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.synced = 0

    def sync(self) -> None:
        self.synced += 1
        self.begun.release()
        self.go.acquire()


def test_whoever_waits_for_the_disk_waits_for_a_sync_that_began_after_its_line() -> None:
    file = SlowFile()
    sync = GroupedSync([file], interval=0.0)
    early = sync.durable()
    file.begun.acquire()
    late = [sync.durable() for _ in range(3)]
    file.go.release()
    early.result()
    file.begun.acquire()
    assert not any(one.done() for one in late)
    file.go.release()
    for one in late:
        one.result()
    assert file.synced == 2
    file.go.release(9)
    sync.close()


def test_only_a_strict_run_waits(job: Job) -> None:
    with opened(job, strict=True) as run:
        run.done(ok(0))
        asyncio.run(run.settled())
    with job.open(2) as run:
        run._sync.durable = None  # not to be called
        asyncio.run(run.settled())


def test_a_strict_run_says_when_the_disk_fails(job: Job) -> None:
    run = opened(job, strict=True)
    run._sync.files = [Failing()]
    with pytest.raises(OutputError, match="Input/output error") as caught:
        asyncio.run(run.settled())
    with pytest.raises(OutputError):
        run.replied(request(1), ok(1).calls[0], 0)
    assert [orjson.loads(line)["n"] for line in caught.value.unwritten] == [1]
    with pytest.raises(OutputError):
        run.close()


# ---------------------------------------------------------------- keep

NOTHING = Keep(response=False, row=False)


def dialogue(n: int) -> Any:
    message = {
        **(ok(n).calls[0].response or {}),
        "model": "claude-opus-5-5",
        "diagnostics": {"cache_miss_reason": None},
    }
    calls = [Call([attempt()], turn=turn, usage=USAGE, cost_usd=0.014, response=message) for turn in (0, 1)]
    usage = {name: 2 * count for name, count in USAGE.items()}
    return replace(ok(n), calls=calls, usage=usage, cost_usd=0.028, billed_usd=0.028)


def two_runs(job: Job) -> tuple[Path, Path]:
    """The same job twice: all kept, and next to nothing."""
    folders = []
    for keep in (Keep(), NOTHING):
        with opened(job, keep=keep, fresh=True) as run:
            run.replied(request(0), dialogue(0).calls[0], 0)
            run.done(dialogue(0))
            run.done(ok(1))
            run.finish()
            folders.append(run.folder)
    return folders[0], folders[1]


def test_what_is_not_kept_is_nowhere_and_every_sum_is_the_same(job: Job) -> None:
    whole, bare = two_runs(job)
    assert b'"row":{"text":"text 1"}' in (whole / "results.jsonl").read_bytes()
    for record in read_results(bare):
        assert record["row"] == {}
        assert [call["response"] for call in record["calls"]] == [None] * len(record["calls"])
    assert b'"content"' not in (bare / "results.jsonl").read_bytes() + (bare / "journal.jsonl").read_bytes()
    first, second = read_usage(whole), read_usage(bare)
    assert first
    assert {**first, "run": ""} == {**(second or {}), "run": ""}
    assert first["cache"]["miss_reasons"] == {"none": 2}


def test_columns_that_are_kept_are_named(job: Job) -> None:
    with opened(job, keep=Keep(row=("id", "text"))) as run:
        run.done(replace(ok(0), request=request(0, row={"id": "a", "secret": "b"})))
        assert run.result_of(0)["row"] == {"id": "a"}


def test_replies_stay_until_they_are_not_needed_any_more(job: Job) -> None:
    with opened(job, keep=NOTHING) as run:
        run.replied(request(0), dialogue(0).calls[0], 0)
        run.done(ok(1))
        run.finish(end="interrupted")
    with opened(job, keep=NOTHING) as run:
        (call,) = run.replies_of(0)
        assert call.response
        run.done(dialogue(0))
        assert run.finish().finished
    (line,) = [line for line in read(run.folder / "journal.jsonl") if line["t"] == "reply"]
    assert (line["response"], line["model"], line["usage"]) == (None, "claude-opus-5-5", USAGE)


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize("name", ["run.json", "results.jsonl", "journal.jsonl"])
def test_a_file_of_a_newer_format_is_refused_with_what_to_do(job: Job, name: str) -> None:
    with job.open(2) as run:
        run.sent(request(0), 1, "2026-11-22T09:28:11.123Z", None)
        run.replied(request(0), ok(0).calls[0], 0)
        run.done(ok(1))
    path = run.folder / name
    newer = orjson.loads(path.read_bytes().splitlines()[-1] if name != "run.json" else path.read_bytes()) | {"v": 2}
    path.write_bytes(orjson.dumps(newer) + b"\n")
    with pytest.raises(OutputError, match="pip install --upgrade promptrun") as caught:
        job.open(2)
    assert caught.value.exit_code == 74


def test_usage_of_a_newer_format_is_refused(job: Job) -> None:
    folder, _ = job.run(ok(0))
    usage = read_usage(folder) or {}
    (folder / "usage.json").write_bytes(orjson.dumps(usage | {"v": 2}))
    with pytest.raises(OutputError, match="newer promptrun"):
        read_usage(folder)


def test_how_long_answers_were_is_no_reason_to_refuse_usage_of_a_newer_format(job: Job) -> None:
    folder, _ = job.run(ok(0))
    assert earlier_lengths(job.folder) == {"claude-opus-5-5": (1, 500)}
    usage = read_usage(folder) or {}
    newer = usage | {"v": 2, "asked": {"claude-opus-5-5": {"in_another": "shape"}}}
    (folder / "usage.json").write_bytes(orjson.dumps(newer))
    assert earlier_lengths(job.folder) == {}


def test_every_file_says_its_format(job: Job) -> None:
    folder, _ = job.run(ok(0))
    lines = [line for name in ("journal.jsonl", "results.jsonl") for line in read(folder / name)]
    assert {tree["v"] for tree in (read_run(folder), read_usage(folder) or {}, *lines)} == {1}
    assert os.listdir(folder)  # noqa: PTH208
