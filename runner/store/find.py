"""Finding what earlier runs left: `job@latest`, `job@2`, a run id, a path; and results inside a run. Reads only.

A reference to a job means its real runs when it has any, else its simulated ones; `simulated/job@…` always those.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from runner.errors import SpecError
from runner.store.files import from_json, read_lines
from runner.store.index import ResultIndex
from runner.store.run_id import is_run_id, run_ids
from runner.store.run_json import run_at, runs_in
from runner.store.versions import check_format

SIMULATED = "simulated"
PIN = "pinned"
"""The file in a run's folder that `promptrun prune` keeps it for."""
_NEAR_POOL = 10_000


def find_run(outputs: Path, ref: str) -> Path:
    """The run folder a reference names; raises SpecError, with near names, when there is none."""
    if is_run_folder(Path(ref)):
        return Path(ref)
    if is_run_id(ref):
        return _by_id(outputs, ref)
    job, at, which = ref.rpartition("@")
    if at:
        return _by_position(outputs, job, which)
    if ref in jobs(outputs):
        raise SpecError(f"`{ref}` is a job, not a run", next=f"Say which run: `{ref}@latest` or `{ref}@1`.", rule="run")
    raise SpecError(
        f"there is no run `{ref}`{_near(ref, jobs(outputs))}",
        next="Name a run as `job@latest`, `job@2` (the second newest), a run id or a run's folder.",
        rule="run",
    )


def is_run_folder(path: Path) -> bool:
    return (path / "run.json").is_file()


def jobs(outputs: Path) -> list[str]:
    """Every job with runs; simulated ones as `simulated/<job>`."""
    found = [entry.name for entry in _folders(outputs) if entry.name != SIMULATED]
    return found + [f"{SIMULATED}/{entry.name}" for entry in _folders(outputs / SIMULATED)]


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def job_folder(outputs: Path, job: str) -> Path:
    """Where a job's runs are; raises SpecError for a job without any."""
    for folder in (outputs / job, outputs / SIMULATED / job):
        if ".." not in job and run_ids(folder):
            return folder
    raise SpecError(
        f"there are no runs of `{job}` under `{outputs}`{_near(job, jobs(outputs))}",
        next="Run the job first, or name the folder of its results with `--output-dir`.",
        rule="run",
    )


def _by_id(outputs: Path, run_id: str) -> Path:
    for job in jobs(outputs):
        if is_run_folder(outputs / job / run_id):
            return outputs / job / run_id
    known = [run for job in jobs(outputs) for run in run_ids(outputs / job)]
    raise SpecError(
        f"there is no run `{run_id}` under `{outputs}`{_near(run_id, known)}",
        next="`promptrun runs JOB` lists the runs of a job.",
        rule="run",
    )


def _by_position(outputs: Path, job: str, which: str) -> Path:
    folder = job_folder(outputs, job)
    if which == "latest":
        return _latest(folder, job)
    runs = [place for place, _ in runs_in(folder)]
    if not which.isdecimal() or int(which) < 1:
        raise SpecError(
            f"`{which}` in `{job}@{which}` is not a place in the list of runs",
            next=f"Write `{job}@latest`, or `{job}@1` for the newest, `{job}@2` for the one before.",
            rule="run",
        )
    if int(which) > len(runs):
        raise SpecError(f"`{job}` has {len(runs)} runs, so there is no `{job}@{which}`", rule="run")
    return runs[int(which) - 1]


def _latest(folder: Path, job: str) -> Path:
    for place, run in runs_in(folder):
        if run["finished"] and not run["limited"]:
            return place
    raise SpecError(
        f"`{job}` has no finished run of all its rows yet",
        next=f"`{job}@1` is its newest run.",
        rule="run",
    )


def _near(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(f'`{one}`' for one in close)}?" if close else ""


# ---------------------------------------------------------------- reading


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a run; raises SpecError when the folder holds none, OutputError for a newer format."""
    run = run_at(folder)
    if run is None:
        raise SpecError(
            f"`{folder}` is not a run: it has no readable run.json",
            next="Run the job again: answers that are in its results.jsonl are used, and not paid for again.",
            rule="run",
        )
    return run


def list_runs(outputs: Path, job: str | None = None) -> list[dict[str, Any]]:
    """run.json of every run of a job (or of all jobs), newest first, with its `folder` and whether it is `pinned`."""
    folders = [job_folder(outputs, job)] if job else [outputs / name for name in jobs(outputs)]
    runs = [found for folder in folders for found in runs_in(folder)]
    runs.sort(key=lambda found: found[0].name, reverse=True)
    return [run | {"folder": str(folder), "pinned": (folder / PIN).is_file()} for folder, run in runs]


def read_results(folder: Path) -> Iterator[dict[str, Any]]:
    """The results of a run in order of n, one a request, streaming. A torn last line counts as not there."""
    run = read_run(folder)
    path = folder / "results.jsonl"
    if run["ordered"]:
        lines: Iterator[tuple[int, bytes]] = read_lines(path)
    else:
        index = ResultIndex(run["plan"]["requests"])
        index.load(path)
        lines = index.lines(path)
    for _, line in lines:
        record = from_json(line)
        if record is not None:
            check_format(record, path)
            yield record


def find_result(folder: Path, ref: str) -> list[dict[str, Any]]:
    """The results of one row (one for each cell and repeat). ref: an id, `#731` the 731st row, `L732` a source line.

    Raises SpecError with near ids when nothing matches.
    """
    found = [record for record in _with_id(folder, ref) if record["id"] == ref]
    if not found and ref[:1] in ("#", "L") and ref[1:].isdecimal():
        found = _by_number(folder, int(ref[1:])) if ref[0] == "#" else _by_line(folder, int(ref[1:]))
    if found:
        return found
    ids = [record["id"] for _, record in zip(range(_NEAR_POOL), read_results(folder), strict=False)]
    raise SpecError(
        f"no result of `{ref}` in `{folder}`{_near(ref, ids)}",
        next="Name a row by its id, as `#731` for the 731st, or as `L732` for line 732 of its source.",
        rule="result",
    )


def _with_id(folder: Path, id: str) -> Iterator[dict[str, Any]]:
    """Results that may have this id: most lines are passed over without being parsed when they are in order."""
    run = read_run(folder)
    if not run["ordered"]:
        yield from read_results(folder)
        return
    needle = b'"id":' + orjson.dumps(id)
    for _, line in read_lines(folder / "results.jsonl"):
        if needle in line and (record := from_json(line)):
            yield record


def _by_number(folder: Path, number: int) -> list[dict[str, Any]]:
    plan = read_run(folder)["plan"]
    per_row = max(1, plan["cells"] * plan["repeat"])
    return [record for record in read_results(folder) if record["n"] // per_row == number - 1]


def _by_line(folder: Path, line: int) -> list[dict[str, Any]]:
    return [record for record in read_results(folder) if record["source"]["line"] == line]
