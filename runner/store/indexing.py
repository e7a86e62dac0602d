"""Bringing index.db up to date: with one run when a sitting ends, with all that it lacks before it is asked.

The index is a convenience: one that cannot be written is a note, never the end of a run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.store.answer_index import NAME, WAIT_SECONDS, AnswerIndex
from runner.store.files import from_json, read_lines
from runner.store.run_id import run_ids
from runner.store.versions import check_format

RESULTS = "results.jsonl"
_IN_VAIN: set[Path] = set()
"""Indexes that this process has waited for already, and had to do without."""


class Indexing:
    """Puts the results of one run into its job's index while somebody else reads them. Raises nothing."""

    def __init__(self, folder: Path, *, wait: float = WAIT_SECONDS) -> None:
        self.folder = folder
        self.wait = wait
        self.notes: list[str] = []
        self._stack = ExitStack()
        self._index: AnswerIndex | None = None
        self._number = 0

    def __enter__(self) -> Self:
        try:
            index = open_sound(self.folder.parent / NAME, self.wait)
            self._stack.callback(index.close)
            self._stack.enter_context(index.changing())
            self._number = index.begin(self.folder.name, size_of(self.folder))
            self._index = index
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return self

    def note(self, record: Mapping[str, Any], offset: int) -> None:
        """A result line and where it starts."""
        if self._index is None:
            return
        try:
            self._index.add(self._number, record, offset)
        except sqlite3.Error as error:
            self._give_up(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, trace)
        except (sqlite3.Error, OSError) as failure:
            self._give_up(failure)

    def _give_up(self, error: Exception) -> None:
        self._index = None
        self.notes = [f"{NAME} could not be brought up to date ({error}); the next run makes it anew"]


def open_sound(path: Path, wait: float = WAIT_SECONDS) -> AnswerIndex:
    """The index at a path; one that is damaged or of another version is made anew. Raises sqlite3.Error, OSError."""
    wait = patience(path, wait)
    try:
        return AnswerIndex(path, wait=wait)
    except sqlite3.OperationalError:  # locked, read-only, no space: not the file's fault
        raise
    except sqlite3.DatabaseError:
        for stale in (path, path.with_name(f"{NAME}-journal")):
            stale.unlink(missing_ok=True)
        return AnswerIndex(path, wait=wait)


def patience(path: Path, wait: float) -> float:
    """How long to wait for whoever holds an index: once in a process is enough."""
    return 0.0 if path in _IN_VAIN else wait


def waited_in_vain(path: Path) -> None:
    """The index could not be had: the next look at it does not wait."""
    _IN_VAIN.add(path)


def size_of(folder: Path) -> int:
    """Bytes of a run's results."""
    try:
        return (folder / RESULTS).stat().st_size
    except OSError:
        return 0


def refresh(index: AnswerIndex, job_folder: Path, but: str | None = None) -> None:
    """Scan the runs that the index does not know as they are. Raises OutputError for a run of a newer format.

    but: a run that stays as the index has it.
    """
    known = index.runs()
    if but is not None:
        known.pop(but, None)
    runs = [run for run in reversed(run_ids(job_folder)) if run != but]
    there = {run: size for run in runs if (size := size_of(job_folder / run))}
    changed = [run for run, size in there.items() if known.get(run) != size]
    gone = known.keys() - there
    if changed or gone:
        with index.changing():
            for run in gone:
                index.forget(run)
            for run in changed:
                put_in(index, job_folder / run)


def put_in(index: AnswerIndex, folder: Path) -> None:
    """Scan one run, as far as its lines are whole."""
    path = folder / RESULTS
    number = index.begin(folder.name, size_of(folder))
    for offset, line in read_lines(path):
        record = from_json(line)
        if record is not None:
            check_format(record, path)
            index.add(number, record, offset)
