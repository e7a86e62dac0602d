"""What a plan is compared with: the newest run of the job, and the unfinished one that would go on. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from runner.records import Plan
from runner.store.files import from_json, read_lines
from runner.store.index import ANSWERED, state_of
from runner.store.opening import unfinished_run
from runner.store.run_id import run_ids
from runner.store.run_json import run_at, runs_in

__all__ = ["answered_numbers", "newest_run", "retries_of", "unfinished_run"]

_HEAD: Final = re.compile(rb'\{"v":1,"job":"[^"\\]*","run":"[^"\\]*","n":(\d{1,18}),')
_FAILED: Final = b'"status":"failed"'  # quotes inside a text are escaped; a row's own column may look like this


def newest_run(job_folder: Path, shard: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The run.json of the newest run that was no retry, and of the same shard. Raises OutputError for a newer format.

    shard: as in a manifest.
    """
    first = (run for _, run in runs_in(job_folder) if run.get("parent") is None)
    return next((run for run in first if _dealt(run.get("shard")) == _dealt(shard)), None)


def retries_of(job_folder: Path, run: str) -> frozenset[str]:
    """The retries of a run, and theirs: each has the requests of the run that it retried, or fewer."""
    family = {run}
    for later in sorted(run_id for run_id in run_ids(job_folder) if run_id > run):
        made = run_at(job_folder / later)
        if made is not None and made.get("parent") in family:
            family.add(later)
    return frozenset(family - {run})


def answered_numbers(folder: Path, plan: Plan) -> bytearray:
    """A 1 for each request of the plan that this run of the same plan has answered; changes nothing, takes no lock.

    Looks at the head of a line and for one word in it: half a million whole lines take seconds.
    """
    answered = bytearray(plan.requests)
    for _, line in read_lines(folder / "results.jsonl"):
        head = _HEAD.match(line)
        if head is None or _FAILED in line or not line.endswith(b"}\n"):
            _note(from_json(line), answered)
        elif (n := int(head[1])) < plan.requests:
            answered[n] = 1
    return answered


def _note(record: Mapping[str, Any] | None, answered: bytearray) -> None:
    """The same of a line that is not so plain."""
    n = record.get("n") if record else None
    if record is not None and type(n) is int and 0 <= n < len(answered) and "status" in record:
        answered[n] = state_of(record) == ANSWERED


def _dealt(shard: Mapping[str, Any] | None) -> tuple[int, int] | None:
    return (shard["k"], shard["of"]) if shard else None
