"""Joining runs: rows in order, sums of what was paid, and every reason to refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from store_job import Job, ok, plan_of, request

from runner.errors import SpecError
from runner.store import open_run, read_results, read_run, read_usage
from runner.store.merge import merge_runs, read_parts


def shard(job: Job, k: int, of: int, rows: int = 5, *, repeat: int = 1, limited: bool = False, manifest=()) -> Path:
    """The finished run of a shard of `rows` rows; row i of the whole job is `row-i`."""
    mine = [row for row in range(rows) if row % of == k - 1]
    described = job.manifest(shard={"k": k, "of": of, "limited": limited}, limited=True, **dict(manifest))
    plan = plan_of(len(mine) * repeat, rows=len(mine), repeat=repeat)
    with open_run(job.folder, manifest=described, plan=plan, clock=job.clock, fresh=True) as run:
        for n in range(len(mine) * repeat):
            whole = mine[n // repeat] * repeat + n % repeat
            asked = replace(request(whole), n=n, id=f"row-{mine[n // repeat]}", repeat=n % repeat)
            run.sent(asked, 1, job.clock.utc(), 0.02)
            run.done(replace(ok(whole), request=asked))
        run.finish()
    return run.folder


def merge(job: Job, *folders: Path):
    return merge_runs(read_parts(folders), job.folder, arguments=["merge"], clock=job.clock)


def test_rows_of_shards_go_back_to_their_places(job: Job) -> None:
    folders = [shard(job, k, 3, repeat=2) for k in (3, 1, 2)]
    summary = merge(job, *folders)
    results = list(read_results(Path(summary.folder)))
    assert [line["n"] for line in results] == list(range(10))
    assert [(line["id"], line["repeat"]) for line in results] == [(f"row-{n // 2}", n % 2) for n in range(10)]
    assert {line["run"] for line in results} == {summary.run}


def test_the_joined_run_is_whole_finished_and_the_latest(job: Job) -> None:
    folders = [shard(job, k, 2) for k in (1, 2)]
    assert not (job.folder / "latest").exists()
    summary = merge(job, *folders)
    run = read_run(job.folder / "latest")
    assert run["run"] == summary.run
    assert (run["finished"], run["limited"], run["ordered"]) == (True, False, True)
    assert [(part["run"], part["shard"]) for part in run["merged"]] == [
        (folders[0].name, "1/2"),
        (folders[1].name, "2/2"),
    ]
    assert [part["arguments"] for part in run["merged"]] == [["run", "triage.yaml"]] * 2
    assert run["plan"]["requests"] == run["plan"]["rows"] == 5


def test_usage_is_the_sum(job: Job) -> None:
    folders = [shard(job, k, 2) for k in (1, 2)]
    summary = merge(job, *folders)
    parts, whole = [read_usage(folder) for folder in folders], read_usage(Path(summary.folder))
    assert whole["tokens"]["output"] == sum(part["tokens"]["output"] for part in parts) > 0
    assert whole["cost"]["usd"] == pytest.approx(sum(part["cost"]["usd"] for part in parts))
    assert whole["attempts"]["sent"] == 5


def test_the_parts_stay_as_they_are(job: Job) -> None:
    folders = [shard(job, k, 2) for k in (1, 2)]
    before = contents(folders)
    merge(job, *folders)
    assert contents(folders) == before


def contents(folders: list[Path]) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.iterdir())}


def test_shards_of_a_limited_run_make_a_limited_run(job: Job) -> None:
    summary = merge(job, *(shard(job, k, 2, limited=True) for k in (1, 2)))
    assert summary.limited
    assert not (job.folder / "latest").exists()


def test_a_shard_without_rows_counts(job: Job) -> None:
    summary = merge(job, *(shard(job, k, 4, rows=3) for k in (1, 2, 3, 4)))
    assert (summary.total, summary.finished) == (3, True)


def test_identical_answers_point_into_the_joined_run(job: Job) -> None:
    first = shard(job, 1, 2, rows=4)
    manifest = job.manifest(shard={"k": 2, "of": 2, "limited": False}, limited=True)
    with open_run(job.folder, manifest=manifest, plan=plan_of(2, identical=1), clock=job.clock, fresh=True) as run:
        run.done(replace(ok(1), request=replace(request(1), n=0)))
        run.write_identical(replace(request(3), n=1), 0)
        run.finish()
    summary = merge(job, first, run.folder)
    assert list(read_results(Path(summary.folder)))[3]["reused_from"] == {"run": summary.run, "n": 1, "id": "row-1"}


def test_runs_of_different_rows_follow_one_another(job: Job) -> None:
    folders = []
    for rows in ((3, 4), (0, 1)):
        with job.open(2, fresh=True, limited=True) as run:
            for n, row in enumerate(rows):
                run.done(replace(ok(row), request=replace(request(row), n=n)))
            run.finish()
        folders.append(run.folder)
    summary = merge(job, *folders)
    results = list(read_results(Path(summary.folder)))
    assert [(line["n"], line["id"]) for line in results] == [(0, "row-3"), (1, "row-4"), (2, "row-0"), (3, "row-1")]
    assert summary.limited, "nobody knows whether these are all rows"


# ---------------------------------------------------------------- what cannot be joined


def refused(job: Job, *folders: Path) -> str:
    def there() -> set[Path]:
        return set(job.folder.iterdir()) - {job.folder / ".lock"}

    before = there()
    with pytest.raises(SpecError) as caught:
        merge(job, *folders)
    assert there() == before, "nothing is left behind"
    return str(caught.value)


def test_missing_and_repeated_shards(job: Job) -> None:
    one, two, again = shard(job, 1, 4), shard(job, 3, 4), shard(job, 3, 4)
    assert "without shards 2/4, 4/4 rows are missing" in refused(job, one, two)
    assert "20261122" in refused(job, one, one)
    full = [shard(job, k, 4) for k in (2, 4)]
    assert "several runs of shard 3/4" in refused(job, one, two, again, *full)


def test_shards_that_were_dealt_from_other_rows(job: Job) -> None:
    assert "has 5 of 6 rows, so the inputs changed" in refused(job, shard(job, 1, 2, rows=9), shard(job, 2, 2, rows=2))
    assert "not dealt alike" in refused(job, shard(job, 1, 2), shard(job, 2, 3))


def test_an_unfinished_run(job: Job) -> None:
    with job.open(2, fresh=True) as run:
        run.done(ok(0))
        run.finish(end="interrupted")
    assert "is not finished" in refused(job, run.folder)


def test_runs_of_other_jobs_files_or_kinds(job: Job) -> None:
    one = shard(job, 1, 2)
    assert "different jobs" in refused(job, one, shard(job, 2, 2, manifest={"job": "other"}))
    assert "simulated and some are real" in refused(job, one, shard(job, 2, 2, manifest={"simulated": True}))
    spec = {"path": "triage.yaml", "sha256": "f" * 64, "bytes": 1, "text": "x"}
    assert "different files: triage.yaml" in refused(job, one, shard(job, 2, 2, manifest={"spec": spec}))
    with job.open(1, fresh=True) as whole:
        whole.done(ok(0))
        whole.finish()
    assert "some of the runs are shards" in refused(job, one, whole.folder)


def test_a_row_in_two_of_them(job: Job) -> None:
    folders = []
    for _ in range(2):
        folder, _ = job.run(ok(0), ok(1), fresh=True)
        folders.append(folder)
    assert "the row `row-0` is in more than one" in refused(job, *folders)
