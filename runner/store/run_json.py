"""Reading run.json of a run folder, which may be gone, damaged, or of a newer version. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from runner.errors import OutputError
from runner.store.files import from_json
from runner.store.run_id import run_ids
from runner.store.versions import check_format

NAME: Final = "run.json"
_HAS: Final = frozenset({"job", "run", "simulated", "limited", "plan_hash", "plan", "spec", "files", "versions", "git"})
_HAS_OF_ITS_END: Final = frozenset({"finished", "ordered", "end", "counts", "sittings", "notes"})


def run_at(folder: Path) -> dict[str, Any] | None:
    """run.json of a run; None when the folder holds none that can be used. Raises OutputError for a newer format."""
    path = folder / NAME
    try:
        run = from_json(path.read_bytes()) if path.is_file() else None
    except OSError as error:
        raise OutputError(f"could not read `{path}`: {error.strerror}", next="Fix its permissions.") from error
    if run is None:
        return None
    check_format(run, path)
    whole = run.keys() >= _HAS | _HAS_OF_ITS_END and bool(run["sittings"])
    return run if whole else None


def runs_in(job_folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The runs of a job with their run.json, the newest first; folders without one are passed over."""
    for run_id in run_ids(job_folder):
        run = run_at(job_folder / run_id)
        if run is not None:
            yield job_folder / run_id, run


def command_of(run: Mapping[str, Any]) -> list[str]:
    """The words of the run command that a run was, or repeated; of runs that were joined, the first one's."""
    if run.get("retry"):
        return list(run["retry"]["arguments"])
    typed = run["sittings"][0]["arguments"]
    return list(run["merged"][0].get("arguments", typed) if run.get("merged") else typed)
