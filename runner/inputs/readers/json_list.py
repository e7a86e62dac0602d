"""JSON: one list of objects, read through a window, so that neither the file nor the list is ever whole in memory.

Anything but a list at the top is an error; which list inside an object was meant is never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, TextIO

from runner.errors import SpecError
from runner.inputs.entry import MAX_TEXT, Entry
from runner.inputs.readers.jsonl import object_entry
from runner.inputs.text_file import InputFile
from runner.inputs.values import MAX_DEPTH, StrictJson, json_reason
from runner.records import Json

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_CHUNK: Final = 1 << 16


def read_json(file: InputFile) -> Iterator[Entry]:
    """Rows of a file that is one JSON list of objects."""
    with file.text() as text:
        window = _Window(text, file)
        if window.peek() != "[":
            raise _not_a_list(window)
        window.take(1)
        yield from _items(window, file)
        if window.peek():
            raise window.error("something follows the list", next=_JSONL_HINT)


_JSONL_HINT: Final = "put everything into one list; for one object a line, add `format: jsonl`"


def _items(window: _Window, file: InputFile) -> Iterator[Entry]:
    if window.peek() == "]":
        window.take(1)
        return
    while True:
        if window.peek() == "]":
            raise window.error("a comma stands before the end of the list", next="remove it")
        source = file.source(window.line)
        value, fault = window.value()
        yield object_entry(value, fault, source, what="item")
        after = window.peek()
        if after not in (",", "]"):
            raise window.error("`,` or `]` is expected after an item") if after else _cut_off(window)
        window.take(1)
        if after == "]":
            return


def _cut_off(window: _Window) -> SpecError:
    return window.error("the file ends inside the list", next="was it cut off? a list ends with `]`")


def _not_a_list(window: _Window) -> SpecError:
    first = window.peek()
    if first == "{":
        return window.error(
            "the file holds an object; rows are a list of objects",
            next="keep only the list; for one object a line, add `format: jsonl`",
        )
    if not first:
        return window.error("the file is empty; rows are a list of objects", next="write [] for no rows")
    return window.error("the file does not start with `[`; rows are a list of objects", next=_JSONL_HINT)


class _Window:
    """What was read of the file and not used yet. line, column: where the window starts, 1-based."""

    def __init__(self, text: TextIO, file: InputFile) -> None:
        self._text = text
        self._file = file
        self._decoder = StrictJson()
        self._buffer = ""
        self._at = 0
        self._ended = False
        self.line = 1
        self.column = 1

    def peek(self) -> str:
        """Skip white space; the character that follows, "" at the end of the file."""
        while True:
            end = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]  # matches the empty string too
            self.take(end - self._at)
            if end < len(self._buffer) or self._ended:
                return self._buffer[end : end + 1]
            self._grow()

    def take(self, count: int) -> None:
        """Step over `count` characters of the window."""
        end = self._at + count
        newlines = self._buffer.count("\n", self._at, end)
        self.line += newlines
        self.column = end - self._buffer.rfind("\n", self._at, end) if newlines else self.column + count
        self._at = end

    def value(self) -> tuple[Json, str | None]:
        """The JSON value that starts here and what is wrong with it; raises SpecError when it is not JSON."""
        while True:
            try:
                value, end, fault = self._decoder.decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._ended and error.pos == len(self._buffer):
                    self.take(error.pos - self._at)
                    raise _cut_off(self) from None
                if self._ended or not _cut_short(error, len(self._buffer)):
                    self.take(error.pos - self._at)
                    raise self.error(f"the file is not JSON: {json_reason(error)}") from None
            except RecursionError:
                raise self.error(f"the item is nested deeper than {MAX_DEPTH} levels") from None
            else:
                if end < len(self._buffer) or self._ended:  # a number at the window's end may go on
                    self.take(end - self._at)
                    return value, fault
            self._grow()

    def _grow(self) -> None:
        """Read as much again as is pending, so that a long item is not decoded again and again."""
        rest = self._buffer[self._at :]
        if len(rest) > MAX_TEXT:
            raise self.error("an item is longer than 32 MB", next="is a quote never closed?")
        more = self._text.read(max(_CHUNK, len(rest)))
        self._ended = not more
        self._buffer, self._at = rest + more, 0

    def error(self, what: str, *, next: str = "") -> SpecError:
        return SpecError(what, where=self._file.where(self.line, self.column), next=next, rule="json-list")


def _cut_short(error: json.JSONDecodeError, length: int) -> bool:
    """Whether reading on could mend it: the text ended inside a string, a literal or an escape."""
    return error.msg.startswith(("Unterminated string", "Invalid \\")) or error.pos > length - 12
