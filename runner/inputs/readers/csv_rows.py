"""CSV and TSV: a header, then rows whose cells are strings.

RFC 4180 with any line end (https://www.rfc-editor.org/rfc/rfc4180): the header is required, a row has as many
cells as the header, a quoted cell may hold line ends, blank lines are skipped. A row that breaks this is a bad
row. Delimiters are never guessed, cells never converted or trimmed.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, TextIO

from runner.errors import Problem, SpecError
from runner.inputs.entry import MAX_TEXT, BadRow, Entry
from runner.inputs.text_file import InputFile, lines
from runner.records import Source

_NUL: Final = "it holds a NUL byte"
_ENCODING: Final = "is this a text file in UTF-8?"
_TOO_LONG: Final = "a line of it is longer than 32 MB"
_NEVER_CLOSED: Final = "a quote opened in it is never closed"
_REASONS: Final = {
    "unexpected end of data": _NEVER_CLOSED,
    "field larger than field limit": "a cell is larger than 32 MB; is a quote never closed?",
    "expected after": "text follows the closing quote of a cell",
}


def read_csv(file: InputFile) -> Iterator[Entry]:
    """Rows of a file whose cells are separated by commas."""
    return _read(file, ",")


def read_tsv(file: InputFile) -> Iterator[Entry]:
    """Rows of a file whose cells are separated by tabs; quotes mean what they mean in CSV."""
    return _read(file, "\t")


def _read(file: InputFile, delimiter: str) -> Iterator[Entry]:
    csv.field_size_limit(MAX_TEXT)  # one setting for the whole process; 128 KB would refuse a long document
    with file.text() as text:
        faults: list[str] = []
        reader = csv.reader(_checked(text, faults), delimiter=delimiter, strict=True)
        header = _header(reader, file, faults)
        _check_one_column(header, file, reader.line_num)
        yield from _rows(reader, header, file, faults)


def _checked(text: TextIO, faults: list[str]) -> Iterator[str]:
    """The lines for csv.reader; what is wrong with one that it would accept goes to `faults`."""
    for line in lines(text):
        if line is None:
            faults.append(_TOO_LONG)
            yield ""
        else:
            if "\0" in line:
                faults.append(_NUL)
            yield line


def _rows(reader: Any, header: list[str], file: InputFile, faults: list[str]) -> Iterator[Entry]:
    width, shown = len(header), file.shown
    start = reader.line_num + 1  # where the row begins: line_num says where the last one ended
    while True:
        try:
            for cells in reader:
                if len(cells) == width and not faults:
                    yield dict(zip(header, cells, strict=True)), Source(shown, start), None
                elif cells or faults:
                    yield _bad(cells, header, faults).entry(Source(shown, start))
                start = reader.line_num + 1
            return
        except csv.Error as error:  # the reader goes on with the next line
            faults.clear()
            yield BadRow("csv-row", f"the row cannot be read: {_reason(error)}", next=_QUOTING).entry(
                file.source(start)
            )
            start = reader.line_num + 1


_QUOTING: Final = 'write a cell that holds quotes, commas or line ends in quotes, its own quotes doubled: "5"" pipe"'


def _bad(cells: list[str], header: list[str], faults: list[str]) -> BadRow:
    if faults:
        fault = faults[0]
        faults.clear()
        return BadRow("csv-row", f"the row cannot be read: {fault}", next=_ENCODING * (fault == _NUL))
    what = f"the row has {_count(len(cells), 'cell')}, the header {len(header)}"
    return BadRow("csv-row", what, next="quote cells that hold the delimiter, and write empty cells too")


def _header(reader: Any, file: InputFile, faults: list[str]) -> list[str]:
    """The names in the first row that is not blank; [] for a file without one. Raises SpecError."""
    try:
        names: list[str] = next((cells for cells in reader if cells), [])
    except csv.Error as error:
        faults.append(_reason(error))
        names = []
    if faults:
        raise SpecError(
            f"the header cannot be read: {faults[0]}",
            where=file.where(reader.line_num),
            next=_ENCODING * (faults[0] == _NUL),
            rule="csv-header",
        )
    problems = [
        Problem("csv-header", what, file.where(reader.line_num), next="give every column a name of its own")
        for what in _header_faults(names)
    ]
    if problems:
        raise SpecError.of(problems)
    return names


def _check_one_column(header: list[str], file: InputFile, line: int) -> None:
    """Spreadsheets write semicolons or tabs where the comma is a decimal point. Raises SpecError."""
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise SpecError(
            f"the header is one column, `{header[0][:80]}`",
            where=file.where(line),
            next="separate the cells with commas, or with tabs and `format: tsv`",
            rule="csv-header",
        )


def _header_faults(names: list[str]) -> Iterator[str]:
    for place, name in enumerate(names, 1):
        if not name.strip():
            yield f"column {place} of the header has no name"
    for name, count in Counter(names).items():
        if count > 1 and name.strip():
            places = " and ".join(str(place) for place, other in enumerate(names, 1) if other == name)
            yield f"columns {places} of the header are both named `{name}`"


def _reason(error: csv.Error) -> str:
    text = str(error)
    return next((reason for sign, reason in _REASONS.items() if sign in text), text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
