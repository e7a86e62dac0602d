"""Bytes on disk: files written whole or not at all, files appended a line at a time, torn tails mended.

Every OSError on writing leaves this package as an OutputError (exit 74) that says what to do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from runner.errors import OutputError

_CHUNK = 1 << 16
_READ_AT_ONCE = 1 << 18
"""Bytes; with the usual 8 KB going through lines of 3 KB takes twice as long."""
Replace = Callable[[Path, Path], None]


class Gone(OSError):
    """The file that is open is not the one at its path any more: what is written to it is lost, or elsewhere."""


def cannot_write(path: Path, error: OSError) -> OutputError:
    if isinstance(error, Gone):
        return OutputError(
            f"`{path}` was removed or moved while it was being written",
            next="Nothing more is sent. Put the folder back if you can and run the same command again: "
            "what is in it is not sent again.",
        )
    reason = error.strerror or str(error) or type(error).__name__
    return OutputError(
        f"could not write `{path}`: {reason}",
        next="Free some space or fix the permissions, then run the same command again: "
        "results on disk are kept and their requests are not sent again.",
    )


def to_json(value: Any, *, indent: bool = False) -> bytes:
    """Compact (or indented) JSON as UTF-8. Half a surrogate pair, which UTF-8 cannot hold, becomes `?`."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 if indent else None)
    except TypeError:
        text = json.dumps(value, default=_plain, ensure_ascii=False, indent=2 if indent else None)
        return text.encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    return str(value)


def from_json(line: bytes) -> dict[str, Any] | None:
    """The object on a line, None when the line is not one whole JSON object."""
    try:
        value = orjson.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def write_whole(path: Path, content: bytes, *, replace: Replace = os.replace) -> None:
    """Put the file there whole: temporary name beside it, synced, renamed. Raises OutputError."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            sync(file)
        replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable, where the system can (Windows cannot open a folder)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class AppendFile:
    """A file that grows by whole lines, each handed to the operating system in one unbuffered write."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self.handle = os.open(path, flags, 0o666)
        except OSError as error:
            raise cannot_write(path, error) from error
        self.path = path
        state = os.fstat(self.handle)
        self.size = state.st_size
        self._counts_links = state.st_nlink > 0  # some file systems do not

    def append(self, line: bytes) -> int:
        """Write the line and its line end; returns where it starts. Raises OutputError, nothing half-written."""
        data = memoryview(line + b"\n")
        start = self.size
        try:
            while data:
                data = data[os.write(self.handle, data) :]
            if self._counts_links and not os.fstat(self.handle).st_nlink:
                raise Gone
        except OSError as error:
            self._cut(start)
            raise cannot_write(self.path, error) from error
        self.size = start + len(line) + 1
        return start

    def _cut(self, size: int) -> None:
        """Take back half a line; where even that fails, the next opening mends it."""
        try:
            os.ftruncate(self.handle, size)
        except OSError:
            return

    def sync(self) -> None:
        """Raises OSError, also when the file at the path is another one by now."""
        os.fsync(self.handle)
        mine = os.fstat(self.handle)
        try:
            there = self.path.stat()
        except FileNotFoundError as error:
            raise Gone from error
        # Windows lets nobody put another file in the place of one that is open, and may number them differently here.
        if os.name != "nt" and (mine.st_ino, mine.st_dev) != (there.st_ino, there.st_dev):
            raise Gone

    def close(self) -> None:
        os.close(self.handle)


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, line with its end) of a file; nothing when it does not exist."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb", buffering=_READ_AT_ONCE) as file:
        for line in file:
            yield offset, line
            offset += len(line)


def mend_tail(path: Path) -> int:
    """Cut back what follows the last whole line of a JSON-lines file; returns the bytes lost.

    A last line that is whole but for its line end is kept and given one: its reply was paid for.
    """
    if not path.exists():
        return 0
    try:
        with path.open("rb+") as file:
            return _mend(file)
    except OSError as error:
        raise cannot_write(path, error) from error


def _mend(file: BinaryIO) -> int:
    size = end = file.seek(0, os.SEEK_END)
    while end:
        start = _line_start(file, end)
        file.seek(start)
        line = file.read(end - start)
        if from_json(line) is not None:
            break
        end = start
    if end < size:
        file.truncate(end)
    if end and not line.endswith(b"\n"):
        file.seek(end)
        file.write(b"\n")
    if end < size or (end and not line.endswith(b"\n")):
        sync(file)
    return size - end


def last_record(path: Path) -> dict[str, Any] | None:
    """The last line of a JSON-lines file that ends with a whole one; None when it is empty or not there."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        start = file.seek(_line_start(file, end)) if end else 0
        return from_json(file.read(end - start))


def _line_start(file: BinaryIO, end: int) -> int:
    """Where the line that ends before `end` (its own line end included) begins."""
    position = end - 1
    while position > 0:
        begin = max(0, position - _CHUNK)
        file.seek(begin)
        found = file.read(position - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        position = begin
    return 0
