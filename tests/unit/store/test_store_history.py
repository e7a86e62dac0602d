"""What a plan is compared with; and looking many requests up at once."""

from __future__ import annotations

from pathlib import Path

from store_job import HandClock, Job, failed, ok, plan_of, request

from runner.store import open_run
from runner.store.history import answered_numbers, newest_run, retries_of
from runner.store.reuse import Earlier

NOW = "2026-11-23T00:00:00Z"
OTHER = "20261121T092811.123Z-7f3a"


def test_no_run_is_no_history(tmp_path: Path) -> None:
    assert newest_run(tmp_path / "nothing") is None
    with Earlier(tmp_path / "nothing", simulated=False, max_age=None, now=NOW) as earlier:
        assert earlier.known([bytes(32)]) == set()
        assert earlier.runs_of([("a", {}, 0)]) == [None]


def test_the_newest_run_of_the_same_shard_that_is_no_retry(tmp_path: Path) -> None:
    job, found = Job(tmp_path, HandClock()), []
    shard = {"k": 1, "of": 2, "limited": False}
    for changes in ({}, {"shard": shard}, {"parent": OTHER, "retry": {"statuses": ["failed"], "arguments": []}}):
        job.clock.stamp = job.clock.stamp.replace("123Z", f"{124 + len(found)}Z")
        with open_run(
            job.folder, manifest=job.manifest(**changes), plan=plan_of(1), fresh=True, clock=job.clock
        ) as run:
            found.append(run.run_id)
    for wanted, at in ((None, 0), (shard, 1), ({"k": 2, "of": 2}, None)):
        run_json = newest_run(job.folder, wanted)
        assert (run_json and run_json["run"]) == (None if at is None else found[at])


def test_the_retries_of_a_run_and_theirs(tmp_path: Path) -> None:
    job, found = Job(tmp_path, HandClock()), []
    retry = {"statuses": ["failed"], "arguments": []}
    for parent in (None, 0, 1, None, 3):
        job.clock.stamp = job.clock.stamp.replace("123Z", f"{124 + len(found)}Z")
        changes = {} if parent is None else {"parent": found[parent], "retry": retry}
        with open_run(
            job.folder, manifest=job.manifest(**changes), plan=plan_of(1), fresh=True, clock=job.clock
        ) as run:
            found.append(run.run_id)
    assert retries_of(job.folder, found[0]) == {found[1], found[2]}
    assert retries_of(job.folder, found[2]) == frozenset()


def test_which_requests_a_run_has_answered(tmp_path: Path) -> None:
    job = Job(tmp_path, HandClock())
    folder, _ = job.run(ok(2), failed(1), ok(0), total=4, end="interrupted")
    assert list(answered_numbers(folder, plan_of(4))) == [1, 0, 1, 0]


def test_a_row_that_looks_like_a_failure_is_none(tmp_path: Path) -> None:
    job = Job(tmp_path, HandClock())
    odd = ok(1, request=request(1, id='a","n":7,"b', row={"status": "failed", "n": 2}))
    folder, _ = job.run(ok(0, text='"status":"failed"'), odd, failed(2), total=3, end="interrupted")
    results = folder / "results.jsonl"
    results.write_bytes(results.read_bytes() + b'{"v":1,"job":"triage","run":"x","n":2,"status":"ok"')
    assert list(answered_numbers(folder, plan_of(3))) == [1, 1, 0]


def test_the_newest_line_of_a_request_counts(tmp_path: Path) -> None:
    job = Job(tmp_path, HandClock())
    folder, _ = job.run(failed(0), total=3, end="interrupted")
    job.run(ok(0), failed(1), total=3, end="interrupted")
    assert list(answered_numbers(folder, plan_of(3))) == [1, 0, 0]


def test_many_requests_are_looked_up_at_once(tmp_path: Path) -> None:
    job = Job(tmp_path, HandClock())
    folder, _ = job.run(ok(0), failed(1, "invalid_request", status=400), ok(2))
    keys = [bytes.fromhex(request(n).key) for n in range(5)]
    names = [(request(n).id, request(n).cell, 0) for n in range(5)]
    with Earlier(job.folder, simulated=False, max_age=None, now=NOW) as earlier:
        assert earlier.known(keys) == {keys[0], keys[2]}
        assert earlier.runs_of(names) == [folder.name] * 3 + [None] * 2
    with Earlier(job.folder, simulated=True, max_age=None, now=NOW) as earlier:
        assert earlier.known(keys) == set()
    with Earlier(job.folder, simulated=False, max_age=3600.0, now=NOW) as earlier:
        assert earlier.known(keys) == set()


def test_the_run_that_goes_on_is_not_scanned(tmp_path: Path) -> None:
    """After a kill the index does not know half a million lines of it, and the run itself does."""
    job = Job(tmp_path, HandClock())
    with job.open(total=3) as run:
        run.done(ok(0))
    keys = [bytes.fromhex(request(0).key)]
    with Earlier(job.folder, simulated=False, max_age=None, now=NOW, but=run.run_id) as earlier:
        assert earlier.known(keys) == set()
    with Earlier(job.folder, simulated=False, max_age=None, now=NOW) as earlier:
        assert earlier.known(keys) == {*keys}
    with Earlier(job.folder, simulated=False, max_age=None, now=NOW, but=run.run_id) as earlier:
        assert earlier.known(keys) == {*keys}  # what is in the index stays there
