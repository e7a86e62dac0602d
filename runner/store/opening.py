"""Opening a run: take the job's lock, then go on with the newest unfinished run of this plan or start a new one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.resume import Spent
from runner.records import Plan
from runner.spec.job import Keep
from runner.store.files import cannot_write, last_record, mend_tail, to_json, write_whole
from runner.store.index import ANSWERED, ResultIndex
from runner.store.lock import JobLock, lock_name
from runner.store.replies import ReplyIndex
from runner.store.run_id import new_run_id, run_ids
from runner.store.run_json import runs_in
from runner.store.spent import spent_so_far
from runner.store.times import Clock, format_utc, parse_utc
from runner.store.versions import FORMAT
from runner.store.writer import RunWriter

IGNORE = "*\n!.gitignore\n"


def open_run(
    job_folder: Path,
    *,
    manifest: Mapping[str, Any],
    plan: Plan,
    fresh: bool = False,
    clock: Clock,
    prices: PriceTable = LIST_PRICES,
    keep: Keep = Keep(),  # noqa: B008 (frozen: it cannot change)
    strict: bool = False,
) -> RunWriter:
    """The run to write to, ready for its first line. job_folder: `outputs/<job>` or `outputs/simulated/<job>`.

    manifest: as `describe_run` makes it. fresh: start a new run even when an unfinished one has this plan.
    prices, keep: of the job. strict: see `RunWriter.settled`.
    Raises TryLater when another process runs this job, OutputError when the folder cannot be written.
    """
    make_folder(job_folder)
    lock = JobLock(job_folder, at=clock.utc(), name=lock_name(manifest.get("shard")))
    try:
        found = None if fresh else unfinished_run(job_folder, plan.hash, manifest)
        run = _continue(found, manifest, clock) if found else _create(job_folder, manifest, plan, clock, fresh)
        run["prices"] = prices.to_json()
        lock.name_run(run["run"])
        given = {"lock": lock, "clock": clock, "prices": prices, "keep": keep, "strict": strict}
        return _writer(job_folder / run["run"], run, plan, **given)
    except BaseException:
        lock.release()
        raise


def make_folder(job_folder: Path) -> None:
    """The job's folder; an outputs folder that is new is hidden from git."""
    outputs = job_folder.parent.parent if job_folder.parent.name == "simulated" else job_folder.parent
    try:
        is_new = not outputs.exists()
        job_folder.mkdir(parents=True, exist_ok=True)
        if is_new:
            (outputs / ".gitignore").write_text(IGNORE, encoding="utf-8", newline="\n")
    except OSError as error:
        raise cannot_write(job_folder, error) from error


def unfinished_run(
    job_folder: Path, plan_hash: str, manifest: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any] | None:
    """The run.json of the newest unfinished run of this plan; raises OutputError for a newer format.

    manifest: of the run that would go on. A shard goes on with that shard, a retry with a retry of the same run.
    """
    same = (run for _, run in runs_in(job_folder) if run["plan_hash"] == plan_hash and not run["finished"])
    return next((run for run in same if _kind(run) == _kind(manifest)), None)


def _kind(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """What else two sittings of one run have in common; of a run.json or a manifest."""
    shard, retry = run.get("shard") or {}, run.get("retry") or {}
    return shard.get("k"), shard.get("of"), run.get("parent"), retry.get("statuses")


def _create(job_folder: Path, manifest: Mapping[str, Any], plan: Plan, clock: Clock, fresh: bool) -> dict[str, Any]:
    run_id = new_run_id(clock.utc(), run_ids(job_folder))
    try:
        (job_folder / run_id).mkdir()
    except OSError as error:
        raise cannot_write(job_folder / run_id, error) from error
    return {
        "v": FORMAT,
        "job": manifest["job"],
        "run": run_id,
        "simulated": manifest["simulated"],
        "limited": manifest["limited"],
        "fresh": fresh,
        "parent": manifest.get("parent"),
        "shard": manifest.get("shard"),
        "retry": manifest.get("retry"),
        "merged": None,
        "checks": manifest.get("checks"),
        "plan_hash": plan.hash,
        "plan": plan_counts(plan),
        **{name: manifest[name] for name in ("spec", "files", "git", "versions")},
        "finished": False,
        "ordered": False,
        "end": None,
        "counts": None,
        "sittings": [_sitting(manifest, clock)],
        "notes": [],
    }


def _continue(run: dict[str, Any], manifest: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    return run | {"ordered": False, "end": None, "sittings": [*run["sittings"], _sitting(manifest, clock)]}


def plan_counts(plan: Plan) -> dict[str, int]:
    return {name: getattr(plan, name) for name in ("requests", "rows", "cells", "repeat", "identical", "bad")}


def _sitting(manifest: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    return {
        "arguments": list(manifest["arguments"]),
        "versions": dict(manifest["versions"]),
        "git": dict(manifest["git"]),
        "started": clock.utc(),
        "ended": None,
        "end": None,
        "seconds": None,
        "results": None,
        "sent": None,
        "reused": None,
        "limit": None,
        "max_cost": None,
        "pace": [],
    }


def _writer(folder: Path, run: dict[str, Any], plan: Plan, **given: Any) -> RunWriter:
    """given: what `RunWriter` is to be made with beside the files."""
    index = ResultIndex(plan.requests)
    for name in ("journal.jsonl", "results.jsonl"):
        lost = mend_tail(folder / name)
        if lost:
            run["notes"].append(f"{name}: a torn last line ({lost} bytes) was dropped")
    for killed in run["sittings"][:-1]:
        if killed["ended"] is None:
            _close_killed(killed, folder)
    index.load(folder / "results.jsonl")
    run["notes"] += _missing(run, index)
    replies = ReplyIndex()
    replies.load(folder / "journal.jsonl", index)
    if index.garbage:
        run["notes"].append(f"results.jsonl: {index.garbage} lines could not be read and were left out")
    continued = len(run["sittings"]) > 1
    spent = spent_so_far(folder / "journal.jsonl", index) if continued else Spent()  # refuses newer formats, too
    was = (folder / "run.json").read_bytes() if continued else None
    write_whole(folder / "run.json", to_json(run, indent=True))
    return RunWriter(folder, run=run, plan=plan, index=index, replies=replies, spent=spent, was=was, **given)


def _missing(run: Mapping[str, Any], index: ResultIndex) -> list[str]:
    """What an earlier sitting wrote and somebody took away since: it is sent, and paid for, again."""
    had = max((sitting["results"] or 0 for sitting in run["sittings"]), default=0)
    has = index.total - index.missing
    return [f"results.jsonl: {had - has:,} of {had:,} results are gone since the last sitting"] if has < had else []


def _close_killed(sitting: dict[str, Any], folder: Path) -> None:
    """A sitting that never said its end was killed: it lasted at least until the last attempt in its journal.

    The times of the files say nothing: a copy, as CI caches make it, has others.
    """
    started, last = parse_utc(sitting["started"]), last_record(folder / "journal.jsonl") or {}
    attempt = last["attempts"][-1] if last.get("attempts") else last
    seconds = 0.0
    with suppress(KeyError, TypeError, ValueError):  # a line that somebody else wrote
        began = (parse_utc(attempt["at"]) - started).total_seconds()
        seconds = max(0.0, began + attempt.get("seconds", 0.0))
    sitting["end"] = "killed"
    sitting["seconds"] = round(seconds, 3)
    sitting["ended"] = format_utc(started + timedelta(seconds=seconds))


def answered_before(job_folder: Path, plan: Plan, shard: Mapping[str, Any] | None = None) -> int:
    """How many requests of this plan an unfinished run has answered already; changes nothing and takes no lock.

    shard: as in a manifest.
    """
    run = unfinished_run(job_folder, plan.hash, {"shard": shard})
    if run is None:
        return 0
    index = ResultIndex(plan.requests)
    index.load(job_folder / run["run"] / "results.jsonl")
    return index.count(ANSWERED)
