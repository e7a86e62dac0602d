"""From one source of a spec to its entries: finds the file, decides the format, starts the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, TypeAlias

from runner.errors import SpecError
from runner.inputs.entry import Entry
from runner.inputs.readers.csv_rows import read_csv, read_tsv
from runner.inputs.readers.json_list import read_json
from runner.inputs.readers.jsonl import read_jsonl
from runner.inputs.readers.text_lines import read_text_lines
from runner.inputs.readers.yaml_list import read_yaml_list
from runner.inputs.stamps import Stamps
from runner.inputs.stdin import STDIN_NAME, Stdin
from runner.inputs.text_file import InputFile
from runner.records import Source
from runner.spec.job import InputSource
from runner.spec.near import listed
from runner.spec.paths import Confine

Reader: TypeAlias = Callable[[InputFile], Iterator[Entry]]

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "csv": read_csv,
        "tsv": read_tsv,
        "jsonl": read_jsonl,
        "json": read_json,
        "yaml": read_yaml_list,
        "txt": read_text_lines,
    }
)
_SUFFIXES: Final = MappingProxyType({**{f".{name}": name for name in READERS}, ".ndjson": "jsonl", ".yml": "yaml"})


def entries(source: InputSource, *, confine: Confine, stamps: Stamps, stdin: Stdin) -> Iterator[Entry]:
    """What the source holds, in order. Raises SpecError when it can't be read at all."""
    if source.kind == "rows":
        return _inline(source)
    if source.kind == "glob":
        from runner.inputs.readers.files import read_glob

        return read_glob(source, confine, stamps)
    if source.kind == "paths":
        from runner.inputs.readers.files import read_paths

        return read_paths(source, confine, stamps, stdin)
    reader = _reader(source)
    return reader(_input_file(source, confine, stamps, stdin))


def shown_name(source: InputSource) -> str:
    """What messages call the source."""
    if source.kind == "rows":
        return "the list of rows"
    return STDIN_NAME if source.path == "-" else f"`{source.path}`"


def _input_file(source: InputSource, confine: Confine, stamps: Stamps, stdin: Stdin) -> InputFile:
    if source.path == "-":
        return InputFile(stdin.path(), STDIN_NAME, source.at, stamps)
    path = confine.file(source.path, base=source.base, where=source.at)
    return InputFile(path, confine.shown(path), source.at, stamps)


def _reader(source: InputSource) -> Reader:
    suffix = PurePosixPath(source.path).suffix.lower()
    name = source.format or _SUFFIXES.get(suffix, "")
    if name in READERS:
        return READERS[name]
    if source.path == "-":
        what = "stdin has no suffix that would say its format"
    elif source.format:
        what = f"`{source.format}` is not a format of rows"
    else:
        what = (
            f"`{source.path}` has the suffix `{suffix}`, which says no format"
            if suffix
            else f"`{source.path}` has no suffix"
        )
    raise SpecError(what, where=source.at, next=f"add `format:` with one of {listed(READERS)}", rule="input-format")


def _inline(source: InputSource) -> Iterator[Entry]:
    for index, values in enumerate(source.rows):
        at = source.row_positions[index] if index < len(source.row_positions) else source.at
        yield dict(values), Source(at.file, at.line or None), None
