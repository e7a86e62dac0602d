"""The plan of an unfinished run, kept in its folder so that going on with it need not plan a million rows again.

A convenience: without the file, or when it cannot be written, the next run plans anew. What is in it is nobody's
business here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from runner.store.files import sync, sync_folder
from runner.store.run_id import run_ids

NAME: Final = "plan.db"
_LOOKED_AT: Final = 20


def kept_plans(job_folder: Path) -> Iterator[Path]:
    """The plans in the newest runs of a job, the newest first. job_folder: `outputs/<job>`, which need not exist."""
    for run_id in run_ids(job_folder)[:_LOOKED_AT]:
        path = job_folder / run_id / NAME
        if path.is_file():
            yield path


def keep_plan(folder: Path, save: Callable[[Path], bool]) -> bool:
    """Keep a run's plan, whole or not at all. save: writes it to a path; False when there is nothing to keep.

    Returns whether it takes the place of one that could not be used: of another version, or damaged.
    """
    path, temporary = folder / NAME, folder / f".{NAME}.tmp"
    try:
        temporary.unlink(missing_ok=True)
        replaced = path.exists()
        if save(temporary):
            with temporary.open("rb+") as file:
                sync(file)
            temporary.replace(path)
            sync_folder(folder)
            return replaced
    except (OSError, sqlite3.Error):
        forget_plan(folder)
    return False


def forget_plan(folder: Path) -> None:
    """A finished run does not go on."""
    for name in (NAME, f".{NAME}.tmp"):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError:
            continue  # somebody reads it, on Windows; it does no harm
