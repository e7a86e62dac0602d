"""Which runs stay and why; what is removed, and what is never touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from store_job import Job, failed, ok, request

from runner.store import list_runs, read_results
from runner.store.prune import fates, pin, prune, unpin


def run(job: Job, *results, **options) -> str:
    """A finished run of its own with these results; its id."""
    folder, _ = job.run(*results, fresh=True, **options)
    return folder.name


def kept(job: Job, keep: int = 1) -> dict[str, str]:
    return {fate.run: fate.kept for fate in fates(job.folder, keep=keep)}


def test_the_newest_stay_and_the_rest_goes(job: Job) -> None:
    old, middle, new = (run(job, ok(0)) for _ in range(3))
    assert kept(job, keep=2) == {new: "the latest", middle: "one of the newest 2", old: ""}
    prune(job.folder, keep=2)
    assert [one["run"] for one in list_runs(job.outputs, "triage")] == [new, middle]
    assert not (job.folder / old).exists()


def test_a_dry_run_removes_nothing(job: Job) -> None:
    runs = [run(job, ok(0)) for _ in range(3)]
    decided = prune(job.folder, keep=1, dry_run=True)
    assert [fate.run for fate in decided if not fate.kept] == runs[1::-1]
    assert all((job.folder / one / "results.jsonl").exists() for one in runs)
    assert all(fate.size > 500 for fate in decided)


def test_what_latest_means_stays_behind_limited_runs(job: Job) -> None:
    whole = run(job, ok(0))
    limited = [run(job, ok(0), limited=True) for _ in range(2)]
    assert kept(job) == {limited[1]: "the newest", limited[0]: "", whole: "the latest"}


def test_unfinished_and_pinned_runs_stay(job: Job) -> None:
    pinned, unfinished, _ = run(job, ok(0)), run(job, ok(0), total=2), run(job, ok(0))
    pin(job.folder / pinned)
    assert kept(job)[pinned] == "pinned"
    assert kept(job)[unfinished] == "not finished"
    unpin(job.folder / pinned)
    assert kept(job)[pinned] == ""


def test_the_run_that_an_unfinished_retry_goes_on_with_stays(job: Job) -> None:
    parent, other = run(job, ok(0)), run(job, ok(0))
    with job.open(2, fresh=True) as retry:
        retry.run["parent"] = parent
        retry.finish(end="interrupted")
    run(job, ok(0))
    assert kept(job)[parent] == "a retry of it is not finished"
    assert kept(job)[other] == ""


# ---------------------------------------------------------------- answers that are needed


def reusing(job: Job, source: str, *numbers: int, own: int | None = None) -> str:
    """A run that has the answers of these requests from another run, and one of its own."""
    lines = {line["n"]: line for line in read_results(job.folder / source)}
    with job.open(len(numbers) + (own is not None), fresh=True) as writer:
        for n in numbers:
            writer.write_reused(request(n), lines[n])
        if own is not None:
            writer.done(ok(own))
        writer.finish()
    return writer.run_id


def test_a_run_with_answers_that_would_be_paid_for_again_stays(job: Job) -> None:
    source = run(job, ok(0), ok(1))
    newest = reusing(job, source, 0, 1)
    assert kept(job) == {newest: "the latest", source: "2 answers of it would have to be paid for again"}


def test_the_origin_of_an_answer_stays_not_the_runs_it_went_through(job: Job) -> None:
    source = run(job, ok(0))
    middle = reusing(job, source, 0)
    newest = reusing(job, middle, 0)
    assert kept(job) == {newest: "the latest", middle: "", source: "1 answer of it would have to be paid for again"}


def test_an_answer_that_a_kept_run_has_too_is_not_needed_elsewhere(job: Job) -> None:
    source = run(job, ok(0))
    fresh = run(job, ok(0))
    newest = reusing(job, source, 0)
    assert kept(job, keep=2) == {newest: "the latest", fresh: "one of the newest 2", source: ""}


def test_a_failure_that_was_taken_over_needs_nobody(job: Job) -> None:
    source = run(job, failed(0, "invalid_request", status=400))
    newest = reusing(job, source, 0)
    assert kept(job) == {newest: "the latest", source: ""}


# ---------------------------------------------------------------- what is never touched


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege there")
def test_links_are_not_followed(job: Job, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "dear.txt").write_text("dear", encoding="utf-8")
    old = run(job, ok(0))
    (job.folder / old / "link").symlink_to(elsewhere, target_is_directory=True)
    outside = tmp_path / "20200101T000000.000Z-0000"
    (job.folder / old).rename(outside)
    (job.folder / outside.name).symlink_to(outside, target_is_directory=True)
    inside = run(job, ok(0))
    (job.folder / inside / "link").symlink_to(elsewhere, target_is_directory=True)
    newest = run(job, ok(0))

    assert set(kept(job)) == {newest, inside}, "a link is no run folder"
    prune(job.folder, keep=1)
    assert not (job.folder / inside).exists()
    assert (outside / "results.jsonl").exists()
    assert (elsewhere / "dear.txt").read_text(encoding="utf-8") == "dear"


def test_other_files_and_folders_of_the_job_stay(job: Job) -> None:
    old, newest = run(job, ok(0)), run(job, ok(0))
    (job.folder / "notes").mkdir()
    (job.folder / "notes" / "mine.txt").write_text("mine", encoding="utf-8")
    (job.folder / f".removing-{old}").mkdir()
    prune(job.folder, keep=1)
    assert (job.folder / "notes" / "mine.txt").exists()
    assert not (job.folder / f".removing-{old}").exists(), "what an earlier removal left is swept"
    assert (job.folder / newest / "results.jsonl").exists()


def test_what_was_removed_is_no_run_even_half_way(job: Job, tmp_path: Path) -> None:
    """It is moved aside first: a folder without its results is never read as a run."""
    old, newest = run(job, ok(0)), run(job, ok(0))
    (job.folder / old).rename(job.folder / f".removing-{old}")
    assert set(kept(job)) == {newest}
    assert [one["run"] for one in list_runs(job.outputs, "triage")] == [newest]
