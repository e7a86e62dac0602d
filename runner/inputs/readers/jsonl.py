"""JSON Lines: one object a line, blank lines skipped. A line that is anything else is a bad row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from runner.inputs.entry import BadRow, Entry
from runner.inputs.text_file import InputFile, lines
from runner.inputs.values import MAX_DEPTH, StrictJson, json_reason
from runner.records import Json, Source

_KINDS: Final = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def read_jsonl(file: InputFile) -> Iterator[Entry]:
    """Rows of a file with one JSON object a line."""
    decoder = StrictJson()
    with file.text() as text:
        for number, line in enumerate(lines(text), 1):
            source = file.source(number)
            if line is None:
                yield BadRow("json-row", "the line is longer than 32 MB").entry(source)
            elif stripped := line.strip(" \t\r\n"):
                yield _entry(decoder, line, stripped, source)


def _entry(decoder: StrictJson, line: str, stripped: str, source: Source) -> Entry:
    indent = line.index(stripped[0])
    try:
        value, end, fault = decoder.decode(stripped)
    except json.JSONDecodeError as error:
        return BadRow("json-row", f"the line is not JSON: {json_reason(error)}").entry(
            source, column=indent + error.pos + 1
        )
    except RecursionError:
        return BadRow("json-row", f"the line is nested deeper than {MAX_DEPTH} levels").entry(source)
    if end < len(stripped):
        bad = BadRow("json-row", "something follows the JSON value", next="write one object a line")
        return bad.entry(source, column=indent + end + 1)
    return object_entry(value, fault, source, what="line")


def object_entry(value: Json, fault: str | None, source: Source, *, what: str) -> Entry:
    """The entry of one decoded value; what: what the file calls it, `line` or `item`."""
    if not isinstance(value, dict):
        return BadRow(
            "json-row", f"the {what} is {kind_of(value)}, not an object", next='write it as {"name": …}'
        ).entry(source)
    if fault:
        return BadRow("json-row", f"the {what} cannot be used: {fault}").entry(source)
    return value, source, None


def kind_of(value: Json) -> str:
    return _KINDS.get(type(value), "a number")
