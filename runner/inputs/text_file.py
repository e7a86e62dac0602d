"""Opening a source file: UTF-8, line ends kept, never whole in memory; a wrong byte is named with its offset.

Every reader of text goes through `InputFile.text`. Nothing here knows a format.
"""

from __future__ import annotations

import codecs
import io
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from runner.errors import Position, SpecError
from runner.inputs.entry import MAX_TEXT
from runner.inputs.stamps import Stamps
from runner.inputs.stdin import STDIN_NAME
from runner.records import Source

_BLOCK = 1 << 16


@dataclass(frozen=True)
class InputFile:
    """A file to read rows from. shown: its name in messages and sources. at: where the spec names it."""

    path: Path
    shown: str
    at: Position
    stamps: Stamps

    def source(self, line: int) -> Source:
        return Source(self.shown, line)

    def where(self, line: int = 0, column: int = 0) -> Position:
        return Position(self.shown, line, column)

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """The file as text; raises SpecError when it can't be opened, is not UTF-8 or changed since it was planned."""
        try:
            with self.path.open("rb") as raw:
                self.stamps.check_open(self.path, raw, self.shown)
                if raw.read(3) != codecs.BOM_UTF8:
                    raw.seek(0)
                yield io.TextIOWrapper(raw, encoding="utf-8", newline="")
                self.stamps.check_open(self.path, raw, self.shown)
        except UnicodeDecodeError:
            raise self.not_utf8() from None
        except OSError as error:
            raise self.unreadable(error) from None

    def unreadable(self, error: OSError) -> SpecError:
        what = f"`{self.shown}` cannot be read: {error.strerror or error}"
        return SpecError(what, where=self.at, rule="file-unreadable")

    def not_utf8(self) -> SpecError:
        """Reads the file a second time to say exactly which byte; only ever needed once."""
        try:
            with self.path.open("rb") as raw:
                offset, line, byte = _first_bad_byte(raw)
                raw.seek(0)
                looks = _looks_like(raw.read(4))
        except OSError as error:
            return self.unreadable(error)
        name = "" if self.shown == STDIN_NAME else f" {shlex.quote(self.shown)}"
        return SpecError(
            f"`{self.shown}` is not UTF-8: byte 0x{byte:02x} at offset {offset}",
            where=self.where(line),
            next=f"convert it to UTF-8, for example: iconv -f {looks} -t UTF-8{name}",
            rule="wrong-encoding",
        )


def lines(text: TextIO) -> Iterator[str | None]:
    """The lines with their ends (LF, CR LF or CR); None for one that is longer than MAX_TEXT characters."""
    readline = text.readline
    while line := readline(MAX_TEXT):
        if len(line) < MAX_TEXT or line.endswith(("\n", "\r")):
            yield line
        else:
            while line and not line.endswith(("\n", "\r")):
                line = readline(MAX_TEXT)
            yield None


def _first_bad_byte(raw: BinaryIO) -> tuple[int, int, int]:
    """Offset from 0, line from 1 and value of the first byte that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    read, line = 0, 1
    while True:
        block = raw.read(_BLOCK)
        pending = decoder.getstate()[0]
        try:
            line += decoder.decode(block, final=not block).count("\n")
        except UnicodeDecodeError as error:
            whole = pending + block
            line += whole.count(b"\n", 0, error.start)
            return read - len(pending) + error.start, line, whole[error.start]
        read += len(block)
        if not block:  # the file was repaired in between
            return read, line, 0


def _looks_like(start: bytes) -> str:
    return "UTF-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "WINDOWS-1252"
