"""`inputs:` as a list of InputSource: which rows, which file, whose ids. Opens nothing; `runner.inputs` reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runner.records import Json
from runner.spec.document import Path
from runner.spec.fields import Compiler
from runner.spec.gather import Gathered
from runner.spec.job import InputSource
from runner.spec.slow_pattern import NO_PATTERN, compiled

_KINDS: Final = ("rows", "file", "glob", "paths")
_OPTIONS: Final = ("format", "match", "limit", "on_bad_row", "on_empty", "overrides")
_SOURCE_KEYS: Final = frozenset({*_KINDS, *_OPTIONS, "id", "where"})
_WILD: Final = re.compile(r"[*?\[]")


def read_sources(written: Json, compiler: Compiler) -> tuple[InputSource, ...]:
    """The sources in order. Mistakes are gathered; what it gets has passed the schema."""
    if isinstance(written, Mapping):
        return (_source(written, ("inputs",), compiler),)
    kinds = [is_source(item) for item in written]
    if written and all(kinds):
        return tuple(_source(item, ("inputs", i), compiler) for i, item in enumerate(written))
    if any(kinds):
        first = kinds.index(not kinds[0])
        what = "a list of inputs holds rows or sources, not both"
        step = "put the rows into a source of their own: `- rows: [...]`"
        compiler.gathered.add("mixed-inputs", what, ("inputs", first), next=step)
        return ()
    return (_rows({"rows": written}, ("inputs",), ("inputs",), compiler.gathered),)


def is_source(item: Json) -> bool:
    """A map whose keys are all a source's, with what says where rows come from among them; else it is a row."""
    return isinstance(item, Mapping) and item.keys() <= _SOURCE_KEYS and any(kind in item for kind in _KINDS)


def _source(item: Mapping[str, Json], path: Path, compiler: Compiler) -> InputSource:
    kind = next(kind for kind in _KINDS if kind in item)
    options: dict[str, Any] = {name: item[name] for name in _OPTIONS if name in item}
    options["id"] = _row_id(item, path, compiler)
    if "where" in item:
        with compiler.gathered.catching((*path, "where")):
            at = compiler.gathered.doc.text_line((*path, "where"))
            options["where"] = compiler.templates.expression(item["where"], at)
    _option_problems(kind, item, path, compiler.gathered)
    if kind == "rows":
        return _rows(item, path, (*path, "rows"), compiler.gathered, **options)
    gathered = compiler.gathered
    _path_problems(kind, item[kind], (*path, kind), gathered)
    return InputSource(kind=kind, at=gathered.doc.where(path), base=gathered.base, path=item[kind], **options)  # type: ignore[arg-type]  # one of _KINDS


def _rows(item: Mapping[str, Any], path: Path, at_rows: Path, gathered: Gathered, **options: Any) -> InputSource:
    rows: Sequence[Mapping[str, Json]] = item["rows"]
    return InputSource(
        kind="rows",
        at=gathered.doc.where(path),
        base=gathered.base,
        rows=tuple(rows),
        row_positions=tuple(gathered.doc.where((*at_rows, i)) for i in range(len(rows))),
        **options,
    )


def _row_id(item: Mapping[str, Json], path: Path, compiler: Compiler) -> Any:
    written = item.get("id")
    if isinstance(written, str) and ("{{" in written or "{%" in written):
        return compiler.text(written, (*path, "id"))
    return written


def _option_problems(kind: str, item: Mapping[str, Json], path: Path, gathered: Gathered) -> None:
    """Options that mean nothing beside this kind of source."""
    if "format" in item and kind != "file":
        gathered.add("not-allowed", f"`format` is for `file`, not for `{kind}`", (*path, "format"), next="remove it")
    if "match" in item and kind not in ("glob", "paths"):
        gathered.add("not-allowed", f"`match` is for paths, not for `{kind}`", (*path, "match"), next="use `where`")
    if item.get("file") == "-" and "format" not in item:
        step = "add `format: csv` (or tsv, jsonl, json, yaml, txt)"
        gathered.add("missing-key", "stdin has no suffix that says its format", (*path, "file"), next=step)
    if "match" in item:
        _match_problems(item["match"], (*path, "match"), gathered)


def _match_problems(pattern: str, path: Path, gathered: Gathered) -> None:
    try:
        compiled(pattern)
    except NO_PATTERN as error:
        why = f"{error.msg} at character {(error.pos or 0) + 1}" if isinstance(error, re.error) else error
        what = f"not a regular expression: {why}"
        gathered.add("match-syntax", what, path, next="quote it with ' so that \\ stays as it is")


def _path_problems(kind: str, written: str, path: Path, gathered: Gathered) -> None:
    """A file that is not there, and a path or pattern that leads out of the project."""
    if written == "-" or kind == "paths":
        return
    at = gathered.doc.where(path)
    with gathered.catching(path):
        if kind == "file":
            gathered.confine.file(written, base=gathered.base, where=at)
        else:
            gathered.confine.resolve(_fixed_part(written), base=gathered.base, where=at)


def _fixed_part(pattern: str) -> str:
    """The folders of a pattern before its first wildcard."""
    wild = _WILD.search(pattern)
    return (
        pattern
        if wild is None
        else pattern[: wild.start()].rpartition("/")[0] + "/"
        if "/" in pattern[: wild.start()]
        else "."
    )
