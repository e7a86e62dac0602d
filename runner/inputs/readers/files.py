"""Rows that are files: those a glob matches, and those whose paths stand on stdin.

Both give `path`, `name` and `stem` (file_values.py) and the named groups of `match`. No file is opened here,
and a file that lies outside the project root, by a link or as written, is a bad row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from runner.errors import Position, SpecError
from runner.inputs.entry import BadRow, Entry
from runner.inputs.file_values import FileValues
from runner.inputs.stamps import Stamps
from runner.inputs.stdin import STDIN_NAME, Stdin
from runner.inputs.text_file import InputFile, lines
from runner.inputs.walk import split_pattern, walk
from runner.records import Source
from runner.spec.job import InputSource
from runner.spec.paths import Confine
from runner.spec.slow_pattern import compiled

_BLOCK: Final = 1 << 16
_LONGEST_PATH: Final = 1 << 16
_OWN_COLUMNS: Final = ("path", "name", "stem", "text")


def read_glob(source: InputSource, confine: Confine, stamps: Stamps) -> Iterator[Entry]:
    """One row a matching file, in the order of their paths. Raises SpecError when a folder can't be read."""
    match = _Match(source)
    start, parts = split_pattern(source.path)
    folder = confine.resolve(start, base=source.base, where=source.at)
    prefix = "" if folder == confine.root else confine.shown(folder).rstrip("/") + "/"
    digest = hashlib.sha256()
    try:
        for path, linked in walk(folder, parts) if folder.is_dir() else ():
            digest.update(path.encode("utf-8", "surrogatepass") + b"\0")
            where = Position(prefix + path)
            try:
                if linked:
                    confine.resolve(path, base=folder, where=where)
                yield match.entry(folder / path, prefix + path, Source(prefix + path), stamps)
            except SpecError as error:
                yield {}, Source(prefix + path), error.problems[0]
    except OSError as error:
        what = f"`{source.path}` cannot be listed: {error.strerror or error}"
        raise SpecError(what, where=source.at, rule="file-unreadable") from None
    stamps.check_listing(f"{prefix}{'/'.join(parts)}", digest.digest())


def read_paths(source: InputSource, confine: Confine, stamps: Stamps, stdin: Stdin) -> Iterator[Entry]:
    """One row a path on stdin, relative to the working directory; separated by NUL when there is one, else by line."""
    match = _Match(source)
    spool = InputFile(stdin.path(), STDIN_NAME, source.at, stamps)
    with spool.text() as text:
        for number, written in enumerate(_separated(text, spool), 1):
            if not written or written.isspace():
                continue
            where = spool.source(number)
            try:
                file = confine.file(written, base=stdin.cwd, where=spool.where(number))
                yield match.entry(file, confine.shown(file), where, stamps)
            except SpecError as error:
                yield {}, where, error.problems[0]


def _separated(text: TextIO, spool: InputFile) -> Iterator[str]:
    if _holds_nul(spool.path):
        yield from _nul_separated(text, spool)
    else:
        for line in lines(text):
            yield (line or "\0").rstrip("\r\n")  # a line beyond all bounds becomes a path that cannot be


def _nul_separated(text: TextIO, spool: InputFile) -> Iterator[str]:
    rest = ""
    while block := text.read(_BLOCK):
        *whole, rest = (rest + block).split("\0")
        yield from whole
        if len(rest) > _LONGEST_PATH:
            raise SpecError("a path on stdin is longer than 64 KB", where=spool.where(), rule="bad-path")
    yield rest


def _holds_nul(path: Path) -> bool:
    with path.open("rb") as raw:
        return any(b"\0" in block for block in iter(lambda: raw.read(_BLOCK), b""))


class _Match:
    """The `match` of a source: a regular expression searched for in each path; its named groups become columns.

    A group that took no part is "". A path without a match is a bad row.
    """

    def __init__(self, source: InputSource) -> None:
        self._written = source.match
        self._pattern = _compiled(source) if source.match is not None else None

    def entry(self, file: Path, shown: str, source: Source, stamps: Stamps) -> Entry:
        """The row of one file, or why its path cannot be used."""
        if not shown.isascii() and not _is_unicode(shown):
            return BadRow("bad-path", f"the file name {shown!a} is not UTF-8", next="rename the file").entry(source)
        values = FileValues(file, shown, stamps)
        if self._pattern is not None:
            found = self._pattern.search(shown)
            if found is None:
                what = f"the path does not match `{self._written}`"
                return BadRow("match-path", what, next="change `match`, or narrow the glob").entry(source)
            values.update(found.groupdict(default=""))
        return values, source, None


def _compiled(source: InputSource) -> re.Pattern[str]:
    pattern = compiled(source.match or "")  # loading the spec found it to be one
    taken = [name for name in pattern.groupindex if name in _OWN_COLUMNS]
    if taken:
        what = f"the group `{taken[0]}` would hide the file's own `{taken[0]}`"
        raise SpecError(what, where=source.at, next="give the group another name", rule="match-syntax")
    return pattern


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
