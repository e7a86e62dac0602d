"""The text of a file with the position of each character; decoding, and what may not stand in a text at all.

Knows nothing of YAML. Lines end at LF, CR LF or CR, as editors count them.
"""

from __future__ import annotations

import codecs
import re
from array import array
from bisect import bisect_right
from itertools import islice

from runner.errors import Position, Problem, SpecError
from runner.spec.secrets import find_credentials

MAX_BYTES = 10_000_000
_LINE_END = re.compile(r"\r\n|\n|\r")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_SHOWN = 10  # of many control characters, the first few tell the story


class SourceText:
    """A decoded file. Positions are 1-based lines and columns in characters."""

    def __init__(self, text: str, *, file: str) -> None:
        self.text = text
        self.file = file
        self._starts = array("L", [0])
        self._starts.extend(match.end() for match in _LINE_END.finditer(text))

    def at(self, index: int) -> Position:
        """The position of the character at this index (0-based)."""
        line = bisect_right(self._starts, index)
        return Position(self.file, line, index - self._starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its end; "" beyond the last."""
        if not 1 <= number <= len(self._starts):
            return ""
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : end].rstrip("\r\n")

    def line_start(self, number: int) -> int:
        """The index of the first character of a 1-based line; the text's length beyond the last."""
        return self._starts[number - 1] if number <= len(self._starts) else len(self.text)


def decode(data: bytes, *, file: str) -> SourceText:
    """UTF-8 with or without a byte order mark. Raises SpecError naming the file and the offending byte."""
    if len(data) > MAX_BYTES:
        raise SpecError(
            f"the file has {len(data):,} bytes, more than 10 MB",
            where=Position(file),
            rule="yaml-too-large",
            next="keep rows in a CSV or JSONL file and name it under `inputs`",
        )
    if (wide := _WIDE_MARKS.get(data[:2])) is not None:
        raise _not_utf8(f"the file is {wide}, not UTF-8", file)
    try:
        return SourceText(data.decode("utf-8-sig"), file=file)
    except UnicodeDecodeError as error:
        # utf-8-sig counts from behind the mark; a person looks the byte up in the file.
        offset = error.start + (len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
        line = data.count(b"\n", 0, offset) + 1
        what = f"the file is not UTF-8: byte 0x{data[offset]:02x} at offset {offset}"
        raise _not_utf8(what, file, line) from None


def _not_utf8(what: str, file: str, line: int = 0) -> SpecError:
    return SpecError(what, where=Position(file, line), rule="yaml-encoding", next="save the file as UTF-8")


def unprintable(source: SourceText) -> list[Problem]:
    """One problem for each of the first few characters that YAML forbids."""
    first = [match.start() for match in islice(_UNPRINTABLE.finditer(source.text), _SHOWN)]
    count = sum(1 for _ in _UNPRINTABLE.finditer(source.text)) if len(first) == _SHOWN else len(first)
    return [_unprintable(source, index, count) for index in first]


def _unprintable(source: SourceText, index: int, count: int) -> Problem:
    character = source.text[index]
    name = "a NUL character" if character == "\0" else f"the control character U+{ord(character):04X}"
    more = f" ({count} such characters in the file)" if count > _SHOWN else ""
    step = "remove it, or write it as an escape in a double-quoted string"
    return Problem("yaml-control-character", f"{name} is not allowed{more}", source.at(index), next=step)


def credentials(source: SourceText) -> list[Problem]:
    """One problem for each literal that looks like a credential, comments included; never repeats it."""
    step = "remove it and revoke it if it was ever shared; credentials come from the environment, never from a spec"
    return [
        Problem("credential", f"this looks like {what}", source.at(index), next=step)
        for index, what in find_credentials(source.text)
    ]
