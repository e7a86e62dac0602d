"""The row of one file: its `path`, `name` and `stem`, and its `text` only when somebody asks.

A job that attaches files by path must not read them here, and a result must not repeat a whole file.
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import Position, SpecError
from runner.inputs.entry import MAX_TEXT
from runner.inputs.stamps import Stamps
from runner.records import Json
from runner.spec.paths import read_text


class FileValues(dict[str, Json]):
    """The columns of a file's row. `values["text"]` reads the file, UTF-8; it is not among the keys.

    Asking for `text` raises SpecError when the file is gone, changed, not UTF-8 or larger than 32 MB.
    """

    def __init__(self, file: Path, shown: str, stamps: Stamps) -> None:
        super().__init__(path=shown, name=file.name, stem=file.stem)
        self._file = file
        self._stamps = stamps
        self._text: str | None = None

    def __missing__(self, column: str) -> Json:
        if column != "text":
            raise KeyError(column)
        if self._text is None:
            self._text = self._read()
        return self._text

    def _read(self) -> str:
        shown = str(self["path"])
        try:
            size = self._stamps.check(self._file, shown).st_size
        except OSError as error:
            what = f"`{shown}` cannot be read: {error.strerror}"
            raise SpecError(what, where=Position(shown), rule="file-unreadable") from None
        if size > MAX_TEXT:
            what = f"`{shown}` has {size / 2**20:.0f} MB; a text may have 32 MB"
            raise SpecError(what, where=Position(shown), next="split the file", rule="file-too-large")
        return read_text(self._file, shown=shown, where=Position(shown))
