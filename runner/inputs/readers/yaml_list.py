"""YAML: a list of maps, read whole; only for small data, which is why larger files are sent to JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from runner.errors import Position, Problem, SpecError
from runner.inputs.entry import BadRow, Entry
from runner.inputs.readers.jsonl import kind_of
from runner.inputs.text_file import InputFile
from runner.records import Json, Source
from runner.spec.yaml_reader import Document, read_yaml

_MOST_BYTES: Final = 10 * 1024 * 1024
_TOO_LARGE: Final = "yaml-too-large"
_OTHER_FORMAT: Final = "write rows as JSON Lines (.jsonl) or CSV; YAML is for up to 10,000 values"
_ADVICE: Final = {
    _TOO_LARGE: _OTHER_FORMAT,
    "yaml-empty": "write [] for no rows",
}
"""What a rule about specs has rows do."""


def read_yaml_list(file: InputFile) -> Iterator[Entry]:
    """Rows of a YAML file that is a list of maps. Raises SpecError with every problem of the file."""
    document = _document(file)
    if not isinstance(document.value, list):
        what = f"the file holds {_kind(document.value)}; rows are a list of maps"
        raise SpecError(what, where=document.where(()), next="start each row with `- `", rule="yaml-list")
    for index, value in enumerate(document.value):
        yield _entry(value, document.where((index,)))


def _document(file: InputFile) -> Document:
    try:
        with file.path.open("rb") as raw:
            file.stamps.check_open(file.path, raw, file.shown)
            data = raw.read(_MOST_BYTES + 1)
    except OSError as error:
        raise file.unreadable(error) from None
    if len(data) > _MOST_BYTES:
        raise SpecError("the file is larger than 10 MB", where=file.where(), next=_OTHER_FORMAT, rule=_TOO_LARGE)
    try:
        return read_yaml(data, file=file.shown)
    except SpecError as error:
        raise SpecError.of([_advised(problem) for problem in error.problems]) from None


def _kind(value: Json) -> str:
    return "a map" if isinstance(value, dict) else kind_of(value)


def _advised(problem: Problem) -> Problem:
    return replace(problem, next=_ADVICE.get(problem.rule, problem.next))


def _entry(value: Json, where: Position) -> Entry:
    source = Source(where.file, where.line)
    if not isinstance(value, dict):
        bad = BadRow("yaml-row", f"the row is {kind_of(value)}, not a map", next="write it as `- name: value`")
        return bad.entry(source, column=where.column)
    return value, source, None
