"""Removing old runs of a job: which ones, why the others stay, and taking them away.

Touches nothing but run folders of this one job. A run is moved aside before it is deleted, so that one that is half
gone is never taken for a run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

from runner.errors import OutputError
from runner.store.distinct import Distinct
from runner.store.files import cannot_write, from_json, read_lines
from runner.store.find import PIN, is_run_folder
from runner.store.run_id import is_run_id
from runner.store.run_json import runs_in

_ASIDE: Final = ".removing-"


@dataclass(frozen=True)
class Fate:
    """What becomes of a run. kept: why it stays, "" when it goes. size: bytes of its files."""

    run: str
    folder: Path
    kept: str
    size: int

    def to_json(self) -> dict[str, Any]:
        told = {"run": self.run, "folder": str(self.folder), "removed": not self.kept}
        return told | {"kept": self.kept or None, "bytes": self.size}


def pin(folder: Path) -> None:
    """Keep this run for good. Raises OutputError."""
    try:
        (folder / PIN).touch()
    except OSError as error:
        raise cannot_write(folder / PIN, error) from error


def unpin(folder: Path) -> None:
    try:
        (folder / PIN).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder / PIN, error) from error


def is_pinned(folder: Path) -> bool:
    return (folder / PIN).is_file()


def fates(job_folder: Path, *, keep: int) -> list[Fate]:
    """What would become of each run, newest first. keep: how many of the newest finished runs stay."""
    found = {folder.name: run for folder, run in runs_in(job_folder) if _is_plain_run(folder)}
    reasons = _reasons(job_folder, found, keep)
    for run, answers in needed(job_folder, reasons, found).items():
        plural = "s" if answers != 1 else ""
        reasons[run] = f"{answers:,} answer{plural} of it would have to be paid for again"
    return [Fate(run, job_folder / run, reasons.get(run, ""), size_of(job_folder / run)) for run in found]


def _is_plain_run(folder: Path) -> bool:
    """A folder of ours: not a link, which would lead to somebody else's files."""
    return is_run_folder(folder) and not folder.is_symlink()


def _reasons(job_folder: Path, found: Mapping[str, Mapping[str, Any]], keep: int) -> dict[str, str]:
    """Run → why it stays, of those that stay for their own sake."""
    reasons: dict[str, str] = {}
    finished = [run for run, tree in found.items() if tree["finished"]]
    whole = [run for run in finished if not found[run]["limited"]]
    reasons |= dict.fromkeys(finished[:keep], f"one of the newest {keep}" if keep > 1 else "the newest")
    reasons |= dict.fromkeys(whole[:1], "the latest")
    unfinished = [tree for tree in found.values() if not tree["finished"]]
    reasons |= {tree["parent"]: "a retry of it is not finished" for tree in unfinished if tree["parent"] in found}
    reasons |= {tree["run"]: "not finished" for tree in unfinished}
    reasons |= {run: "pinned" for run in found if is_pinned(job_folder / run)}
    return reasons


def needed(job_folder: Path, kept: Mapping[str, str], found: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Run → how many answers kept runs took from it that no kept run holds: a later run would pay for them again."""
    counts: dict[str, int] = {}
    with Distinct() as held:
        for record in _answers(job_folder, kept):
            if not record.get("reused_from"):
                held.add(record["key"])
        for record in _answers(job_folder, kept):
            source = str((record.get("reused_from") or {}).get("run"))
            if source in found and source not in kept and held.add(record["key"]):
                counts[source] = counts.get(source, 0) + 1
    return counts


def _answers(job_folder: Path, runs: Iterable[str]) -> Iterator[dict[str, Any]]:
    for run in runs:
        for _, line in read_lines(job_folder / run / "results.jsonl"):
            record = from_json(line)
            if record is not None and record.get("key") and record.get("status") != "failed":
                yield record


def size_of(folder: Path) -> int:
    """Bytes of all files below, links not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            entry = os.lstat(Path(place, name))
            total += entry.st_size if stat.S_ISREG(entry.st_mode) else 0
    return total


def remove(fate: Fate) -> None:
    """Take a run away. Links in it are removed, not what they lead to. Raises OutputError."""
    aside = fate.folder.with_name(f"{_ASIDE}{fate.run}")
    try:
        fate.folder.rename(aside)
        rmtree(aside)
    except OSError as error:
        raise OutputError(
            f"could not remove `{fate.folder}`: {error.strerror or error}",
            next="Close what has its files open, or fix the permissions; then run the same command again.",
        ) from error


def sweep(job_folder: Path) -> None:
    """Take away what an earlier removal or merge left half done. Hold the job's locks meanwhile."""
    for entry in job_folder.iterdir():
        aside = entry.name.startswith(_ASIDE) and is_run_id(entry.name.removeprefix(_ASIDE))
        if aside and entry.is_dir() and not entry.is_symlink():
            rmtree(entry, ignore_errors=True)


def prune(job_folder: Path, *, keep: int, dry_run: bool = False) -> Sequence[Fate]:
    """Remove what `fates` lets go, the oldest first, and return the fates. Hold the job's locks meanwhile."""
    decided = fates(job_folder, keep=keep)
    if not dry_run:
        sweep(job_folder)
        for fate in reversed([one for one in decided if not one.kept]):
            remove(fate)
    return decided
