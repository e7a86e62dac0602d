"""Answers of a job's earlier runs, by key: what need not be sent again.

The index says where to look; what is found there counts only when the line holds the key. Where the index is wrong,
missing or not to be had, the results themselves are scanned. Memory does not grow with the answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeAlias, TypeVar

from runner.errors import OutputError
from runner.store.answer_index import NAME, WAIT_SECONDS, AnswerIndex, is_own_answer, key_of, name_of
from runner.store.files import from_json
from runner.store.indexing import RESULTS, open_sound, put_in, refresh, waited_in_vain
from runner.store.run_id import run_ids
from runner.store.times import parse_utc

_OPEN_FILES: Final = 16
_OFFSET_BITS: Final = 44
_OFFSET: Final = (1 << _OFFSET_BITS) - 1
"""A place holds the number of a run, and below it the offset in its results: up to 17 TB."""
_Found = TypeVar("_Found")
Named: TypeAlias = tuple[str, Mapping[str, Any], int]
"""(id, cell, repeat): what a request is called in every run."""


class Earlier:
    """What the runs of a job have answered. Use it as a context manager, or call `close()`.

    job_folder: may not exist yet. simulated: which answers count; those of a simulator never count for real runs.
    max_age: seconds since an answer was asked for, None for any. now: RFC 3339.
    but: a run that goes on; it knows its answers itself, and scanning it anew after a kill takes long.
    wait: seconds for another process that writes to the index.
    Raises OutputError for a run of a newer format, and when neither the index nor a temporary file can be written.
    """

    def __init__(
        self,
        job_folder: Path,
        *,
        simulated: bool,
        max_age: float | None,
        now: str,
        but: str | None = None,
        wait: float = WAIT_SECONDS,
    ) -> None:
        self.job_folder = job_folder
        self.wait = wait
        self.but = but
        self.simulated = simulated
        self.oldest = 0.0 if max_age is None else parse_utc(now).timestamp() - max_age
        self.notes: list[str] = []  # for people: what took longer than it should
        self._index: AnswerIndex | None = None
        self._private = False
        self._scanned: set[str] = set()
        self._asked: dict[bytes, tuple[str, int]] = {}  # what was looked up last: it is asked for next
        self._runs = [""]  # by the number that stands for them in a place; no place is 0
        self._numbers: dict[str, int] = {}
        self._files: dict[str, BinaryIO | None] = {}
        if run_ids(job_folder):
            self._index = self._opened()

    @property
    def any(self) -> bool:
        """Whether the job has runs at all."""
        return self._index is not None

    def known(self, keys: Sequence[bytes]) -> Collection[bytes]:
        """Those of a few hundred keys that the index has an answer to, which is all that is looked at."""
        simulated, oldest = self.simulated, self.oldest
        return self._asking(lambda index: index.known(keys, simulated=simulated, oldest=oldest)) or set()

    def places(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Where the index says that the newest answer to each of a few hundred keys is; the others are left out.

        A place is a number above 0 that means something to `answer` of this object only.
        """
        return {key: self._packed(*found[0]) for key, found in self._places_of(keys).items()}

    def runs_of(self, names: Sequence[Named]) -> list[str | None]:
        """The newest run that had each of a few hundred requests."""
        hashes = [name_of(*name) for name in names]
        self._asked = self._asking(lambda index: index.asked_of(hashes)) or {}
        return [self._asked[one][0] if one in self._asked else None for one in hashes]

    def answer(self, key: str, place: int = 0) -> dict[str, Any] | None:
        """The newest result line that answers this key; None when there is none that may be used.

        place: of the answer, as `places` had it, which saves looking it up.
        """
        if not key:
            return None
        record = self._line(self._runs[place >> _OFFSET_BITS], place & _OFFSET) if place else None
        if record is not None and record.get("key") == key and is_own_answer(record):
            return record
        raw = bytes.fromhex(key)
        return self._verified(lambda: self._places(raw), lambda record: key_of(record) == raw and is_own_answer(record))

    def _packed(self, run: str, offset: int) -> int:
        if run not in self._numbers:
            self._numbers[run] = len(self._runs)
            self._runs.append(run)
        return self._numbers[run] << _OFFSET_BITS | offset

    def holds_simulated(self) -> bool:
        """Whether a simulator gave any of the answers."""
        return bool(self._asking(AnswerIndex.holds_simulated))

    def had(self, id: str, cell: Mapping[str, Any], repeat: int) -> tuple[str, Mapping[str, str]] | None:
        """(key, parts) of this request in the newest run that had it; None when none did."""
        name = name_of(id, cell, repeat)
        record = self._verified(
            lambda: [place] if (place := self._place_of(name)) else [],
            lambda record: (
                key_of(record) is not None and name_of(record["id"], record["cell"], record["repeat"]) == name
            ),
        )
        return (record["key"], record.get("parts") or {}) if record else None

    def _place_of(self, name: bytes) -> tuple[str, int] | None:
        return self._asked.get(name) or self._asking(lambda index: index.asked(name))

    def _places(self, key: bytes) -> list[tuple[str, int]]:
        return self._places_of([key]).get(key, [])

    def _places_of(self, keys: Sequence[bytes]) -> dict[bytes, list[tuple[str, int]]]:
        simulated, oldest = self.simulated, self.oldest
        return self._asking(lambda index: index.find(keys, simulated=simulated, oldest=oldest)) or {}

    def _verified(
        self, places: Callable[[], list[tuple[str, int]]], fits: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any] | None:
        """The first line that fits. A run whose line does not is scanned again, once."""
        for run, offset in places():
            record = self._line(run, offset)
            if record is not None and fits(record):
                return record
            if run and run not in self._scanned:
                self._scan_again(run)
                return self._verified(places, fits)
        return None

    # ------------------------------------------------------------ files

    def _line(self, run: str, offset: int) -> dict[str, Any] | None:
        file = self._file(run)
        if file is None:
            return None
        file.seek(offset)
        return from_json(file.readline())

    def _file(self, run: str) -> BinaryIO | None:
        if run not in self._files:
            if len(self._files) >= _OPEN_FILES:
                self._close_files()
            path = self.job_folder / run / RESULTS
            self._files[run] = path.open("rb") if path.is_file() else None
        return self._files[run]

    def _close_files(self) -> None:
        for file in self._files.values():
            if file is not None:
                file.close()
        self._files.clear()

    # ------------------------------------------------------------ the index

    def _opened(self) -> AnswerIndex:
        """The job's index, up to date; where that is not to be had, one of our own."""
        try:
            index = open_sound(self.job_folder / NAME, self.wait)
        except (sqlite3.Error, OSError) as error:
            return self._without(error)
        try:
            refresh(index, self.job_folder, self.but)
        except (sqlite3.Error, OSError) as error:
            index.close()
            return self._without(error)
        except BaseException:
            index.close()
            raise
        return index

    def _without(self, error: Exception) -> AnswerIndex:
        """One of our own, since the job's is not to be had."""
        waited_in_vain(self.job_folder / NAME)
        self.notes.append(f"{NAME} could not be used ({error}); earlier answers were looked up in the results")
        return self._own()

    def _own(self) -> AnswerIndex:
        """Made from the results in a temporary file."""
        self._private = True
        try:
            index = AnswerIndex(None)
            refresh(index, self.job_folder, self.but)
        except sqlite3.Error as error:
            raise OutputError(
                f"neither `{self.job_folder / NAME}` nor a temporary file could be written: {error}",
                next="Free some space, or run with `--fresh` to send everything again.",
            ) from error
        return index

    def _asking(self, ask: Callable[[AnswerIndex], _Found]) -> _Found | None:
        """What the index says; one that turns out to be damaged gives way to one of our own."""
        if self._index is None:
            return None
        try:
            return ask(self._index)
        except sqlite3.Error:
            if self._private:
                raise
            self._index.close()
            self._index = self._own()
            return ask(self._index)

    def _scan_again(self, run: str) -> None:
        """The index is wrong about this run: its results were put in order, say, and the index not told."""
        self._scanned.add(run)
        self._asked = {}
        self._close_files()

        def scan(index: AnswerIndex) -> None:
            with index.changing():
                put_in(index, self.job_folder / run)

        self._asking(scan)

    def close(self) -> None:
        self._close_files()
        if self._index is not None:
            self._index.close()
            self._index = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
