"""One run from its first line to its end: order, supersession, going on, and what a failing disk does."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import orjson
import pytest
from store_job import attempt, failed, ok, request

from runner.errors import OutputError, TryLater
from runner.records import Failure
from runner.store import answered_before, read_results, read_run, read_usage
from runner.store.files import mend_tail, to_json
from runner.store.index import ANSWERED, ResultIndex


def lines(folder, name="results.jsonl"):
    return [orjson.loads(line) for line in (folder / name).read_bytes().splitlines()]


def test_results_end_in_order_and_the_run_is_finished(job):
    folder, summary = job.run(ok(2), ok(0), ok(1))
    assert [line["n"] for line in lines(folder)] == [0, 1, 2]
    assert lines(folder)[1] == ok(1).to_json(job="triage", run=folder.name)
    assert (summary.total, summary.good, summary.left, summary.finished) == (3, 3, 0, True)
    assert read_run(folder)["ordered"] is True


def test_a_line_is_on_disk_before_the_call_returns(job):
    with job.open() as run:
        run.sent(request(0), 1, "2026-11-22T09:28:11.123Z", 0.5)
        assert lines(run.folder, "journal.jsonl")[0]["may_cost_usd"] == 0.5
        run.attempt_failed(request(0), attempt(failure=Failure("timeout", "no answer", maybe_billed=True)))
        assert [line["t"] for line in lines(run.folder, "journal.jsonl")] == ["sent", "failure"]
        run.done(ok(0))
        assert lines(run.folder)[0]["text"] == "answer 0"


def test_an_interrupted_run_goes_on_and_asks_only_for_what_is_missing(job):
    first, summary = job.run(ok(1), total=3, end="interrupted")
    assert (summary.finished, summary.left) == (False, 2)
    with job.open(3) as run:
        assert run.folder == first
        assert run.continued
        assert [run.answered(n) for n in range(3)] == [False, True, False]
        run.done(ok(0))
        run.done(ok(2))
        summary = run.finish()
    assert summary.finished
    assert summary.continued
    assert [line["n"] for line in lines(first)] == [0, 1, 2]
    assert len(read_run(first)["sittings"]) == 2


def test_a_killed_sitting_is_closed_by_the_next(job):
    with job.open() as run:
        run.sent(request(0), 1, "2026-11-22T09:28:41.123Z", 0.01)
        run.done(ok(0))
    assert read_run(run.folder)["sittings"][0]["ended"] is None
    assert answered_before(job.folder, run.plan) == 1
    with job.open() as again:
        assert again.folder == run.folder
    killed = read_run(run.folder)["sittings"][0]
    assert (killed["end"], killed["ended"]) == ("killed", "2026-11-22T09:28:41.123Z")
    assert killed["seconds"] == 30, "not what the file system says: a copy has other times"


def test_a_failed_request_runs_again_and_its_later_line_supersedes(job):
    folder, summary = job.run(ok(0), failed(1), ok(2))
    assert not summary.finished
    assert (summary.transient, summary.left) == (1, 0)
    with job.open(3) as run:
        assert run.folder == folder
        assert not run.answered(1)
        run.done(ok(1))
        summary = run.finish()
    assert summary.finished
    assert [(line["n"], line["status"]) for line in lines(folder)] == [(0, "ok"), (1, "ok"), (2, "ok")]


def test_a_request_that_failed_for_good_leaves_the_run_finished(job):
    folder, summary = job.run(ok(0), failed(1, "invalid_request", "bad", 400))
    assert summary.finished
    assert not summary.all_good
    with job.open(2) as run:
        assert run.folder != folder


def test_a_simulator_reached_by_its_address_makes_the_run_simulated(job):
    folder, summary = job.run(ok(0, simulated=True))
    assert summary.simulated
    assert read_run(folder)["simulated"]
    assert read_usage(folder)["simulated"]


def test_a_failure_of_the_account_leaves_the_run_open(job):
    _, summary = job.run(failed(0, "billing", "no money", 402))
    assert not summary.finished


def test_another_plan_or_fresh_starts_a_new_run(job):
    folder, _ = job.run(ok(0), total=2, end="interrupted")
    with job.open(2, hash="b" * 64) as other:
        assert other.folder != folder
    with job.open(2, fresh=True) as fresh:
        assert fresh.folder not in (folder, other.folder)
        assert not fresh.answered(0)


def test_the_newest_unfinished_run_is_continued(job):
    job.run(ok(0), total=2, end="interrupted")
    newer, _ = job.run(ok(1), total=2, end="interrupted", fresh=True)
    with job.open(2) as run:
        assert run.folder == newer


def test_an_identical_request_gets_the_first_ones_answer(job):
    with job.open(2) as run:
        run.done(ok(0))
        twin = request(1, row={"text": "other column"})
        assert run.write_identical(twin, 0)
        summary = run.finish()
    line = lines(run.folder)[1]
    assert line["reused_from"] == {"run": run.run_id, "n": 0, "id": "row-0"}
    assert (line["id"], line["text"], line["billed_usd"], line["row"]) == ("row-1", "answer 0", 0, twin.row)
    assert line["cost_usd"] == ok(0).cost_usd
    assert (summary.good, summary.reused, summary.tokens.input) == (2, 1, 1000)
    assert summary.cost_usd == ok(0).cost_usd


def test_an_identical_request_waits_for_the_firsts_result(job):
    with job.open(2) as run:
        assert not run.write_identical(request(1), 0)
        run.done(failed(0))
        assert run.write_identical(request(1), 0)
        assert not run.answered(1)


def test_result_of_reads_the_newest_line(job):
    with job.open() as run:
        assert run.result_of(0) is None
        run.done(failed(0))
        run.done(ok(0))
        assert run.result_of(0)["status"] == "ok"


def test_half_a_surrogate_pair_does_not_stop_a_run(job):
    folder, _ = job.run(ok(0, text="half \ud83d of it"), ok(1, stop_details={"big": 1 << 70}))
    assert [record["text"] for record in read_results(folder)] == ["half ? of it", "answer 1"]


# ---------------------------------------------------------------- torn files


def test_a_last_line_torn_at_any_byte_costs_only_that_line(tmp_path):
    path = tmp_path / "results.jsonl"
    line = {"v": 1, "model": {"asked": "m"}, "status": "ok", "text": "é"}
    first, last = (to_json(line | {"n": n}) + b"\n" for n in range(2))
    for cut in range(len(last) + 1):
        path.write_bytes(first + last[:cut])
        whole = cut >= len(last) - 1
        assert mend_tail(path) == (0 if whole else cut)
        assert path.read_bytes() == (first + last if whole else first)
        index = ResultIndex(2)
        index.load(path)
        assert (index.count(ANSWERED), index.garbage) == (2 if whole else 1, 0)


@pytest.mark.parametrize("lost", [1, 2, 30, 700])
def test_a_run_with_a_torn_last_line_goes_on(job, lost):
    folder, _ = job.run(ok(0), ok(1), total=3, end="interrupted")
    whole = (folder / "results.jsonl").read_bytes()
    (folder / "results.jsonl").write_bytes(whole[:-lost])
    answered = [0, 1] if lost == 1 else [0]
    assert [record["n"] for record in read_results(folder)] == answered
    with job.open(3) as run:
        assert [n for n in range(3) if run.answered(n)] == answered
        assert bool(run.run["notes"]) is (lost > 1)
        for n in {0, 1, 2} - set(answered):
            run.done(ok(n))
        assert run.finish().finished
    assert [line["n"] for line in lines(folder)] == [0, 1, 2]


def test_a_torn_journal_is_mended_before_it_grows(job):
    folder, _ = job.run(ok(0), total=2, end="interrupted")
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"v":1,"t":"se')
    with job.open(2) as run:
        run.sent(request(1), 1, "2026-11-22T09:28:12.123Z", None)
    assert [line["n"] for line in lines(folder, "journal.jsonl")] == [0, 1]


@pytest.mark.parametrize("garbage", [b"\0" * 5000, b"\0\0\n", b"not json\n[1]\n", b"{}}\n" * 3])
def test_garbage_at_the_end_is_dropped(job, garbage):
    folder, _ = job.run(ok(0), total=2, end="interrupted")
    whole = (folder / "results.jsonl").read_bytes()
    (folder / "results.jsonl").write_bytes(whole + garbage)
    with job.open(2) as run:
        assert run.answered(0)
    assert (folder / "results.jsonl").read_bytes() == whole


def test_garbage_in_the_middle_is_passed_over(job):
    folder, _ = job.run(ok(0), ok(1), total=3, end="interrupted")
    first, second = (folder / "results.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "results.jsonl").write_bytes(first + b"\xff\xfe\n" + second)
    with job.open(3) as run:
        assert [run.answered(n) for n in range(3)] == [True, True, False]
        run.done(ok(2))
        assert "1 lines could not be read" in run.finish().notes[0]
    assert [line["n"] for line in lines(folder)] == [0, 1, 2]


# ---------------------------------------------------------------- failing disks


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_when_the_rewrite_fails_results_keep_their_order_of_arrival(job):
    refused = []

    def busy(source, target):
        if target.name == "results.jsonl":
            refused.append(target)
            raise PermissionError(errno.EACCES, "a reader has it open")
        source.replace(target)

    with job.open() as run:
        for n in (2, 0, 1):
            run.done(ok(n))
        summary = run.finish(replace=busy)
    assert refused
    assert summary.ordered is False
    assert summary.finished
    assert [line["n"] for line in lines(run.folder)] == [2, 0, 1]
    assert [record["n"] for record in read_results(run.folder)] == [0, 1, 2]
    assert read_run(run.folder)["ordered"] is False
    assert not list(run.folder.glob(".*.tmp"))


def test_a_disk_that_fails_at_the_end_keeps_every_result(job):
    with job.open() as run:
        for n in (2, 0, 1):
            run.done(ok(n))
        with pytest.raises(OutputError, match="No space left") as caught:
            run.finish(replace=full_disk)
    assert caught.value.exit_code == 74
    assert "run the same command again" in str(caught.value)
    assert len(lines(run.folder)) == 3
    with job.open() as again:
        assert again.folder == run.folder
        assert again.answered_count == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_reply_that_cannot_be_written_is_an_output_error(job):
    with job.open() as run:
        run.done(ok(0))
        run._sync.files = (run.journal,)  # /dev/full takes no sync either, and this is about the write
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, run.results.handle)
        os.close(full)
        with pytest.raises(OutputError, match=r"results\.jsonl"):
            run.done(ok(1))
        assert not run.answered(1)


def test_an_outputs_folder_that_is_a_file_is_an_output_error(job):
    job.outputs.write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError):
        job.open()


# ---------------------------------------------------------------- lock

HOLDER = """
import sys
from pathlib import Path
from runner.store.lock import JobLock
lock = JobLock(Path(sys.argv[1]), at="2026-11-22T09:28:11.123Z")
lock.name_run("20261122T092811.123Z-7f3a")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_run_of_another_process_holds_the_lock_until_it_dies(job):
    job.folder.mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(job.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(TryLater) as caught:
            job.open()
        assert caught.value.exit_code == 75
        assert f"process {holder.pid}" in str(caught.value)
        assert "20261122T092811.123Z-7f3a" in str(caught.value)
        holder.kill()
    job.open().close()


def test_the_lock_is_given_back_when_opening_fails(job):
    folder, _ = job.run(ok(0), total=2, end="interrupted")
    tree = read_run(folder) | {"v": 2}
    (folder / "run.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(OutputError, match="newer promptrun"):
        job.open(2)
    job.open(2, fresh=True).close()


@pytest.mark.parametrize("line", ['{"v":2,"t":"sent","n":1}', '{"v":2,"t":"reply","n":1,"call":0}'])
def test_nothing_is_changed_beside_a_journal_of_a_newer_format(job, line):
    folder, _ = job.run(ok(0), total=2, end="interrupted")
    with (folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write(line + "\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputError, match="newer promptrun"):
        job.open(2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# ---------------------------------------------------------------- size


def test_memory_is_a_few_bytes_a_request(job):
    total = 50_000
    folder, _ = job.run(total=total, end="interrupted")
    line = b'{"n":%d,"id":"row-%d","status":"ok","good":true,"model":{"asked":"m"},"calls":[],"text":"' + b"x" * 200
    with (folder / "results.jsonl").open("wb") as file:
        file.writelines(line % (n, n) + b'"}\n' for n in reversed(range(total)))
    tracemalloc.start()
    with job.open(total) as run:
        summary = run.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert summary.good == total
    assert [line["n"] for line in lines(folder)[:3]] == [0, 1, 2]
    assert peak < 50 * total
