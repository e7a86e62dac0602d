"""Text: one row a line, in the column `text`, without its line end; blank lines are skipped, nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator

from runner.inputs.entry import BadRow, Entry
from runner.inputs.text_file import InputFile, lines
from runner.records import Source


def read_text_lines(file: InputFile) -> Iterator[Entry]:
    """Rows of a text file."""
    with file.text() as text:
        for number, line in enumerate(lines(text), 1):
            if line is None or not line.isspace():
                yield _entry(line, file.source(number))


def _entry(line: str | None, source: Source) -> Entry:
    if line is None:
        return BadRow("text-row", "the line is longer than 32 MB").entry(source)
    if "\0" in line:
        return BadRow("text-row", "the line holds a NUL byte", next="is this a text file in UTF-8?").entry(source)
    return {"text": line.rstrip("\r\n")}, source, None
