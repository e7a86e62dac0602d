"""Collects what is wrong with a spec while it is read, so that everything is reported at once.

Knows where things stand and which files were read; decides nothing about what is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Literal

from runner.errors import Position, Problem, SpecError
from runner.spec.document import Document, Path, path_text
from runner.spec.media_file import MediaFiles
from runner.spec.paths import Confine, read_text


def problem_at(
    doc: Document,
    rule: str,
    what: str,
    path: Path,
    *,
    next: str = "",
    severity: Literal["error", "warning"] = "error",
    on_key: bool = False,
) -> Problem:
    """A problem of the value at a path of the document, or of its key."""
    where = doc.key_where(path) if on_key else doc.where(path)
    return Problem(rule, what, where, path_text(path), next, severity)


@dataclass
class Gathered:
    """The problems and files of one spec so far. base: the folder that the spec's paths are relative to."""

    doc: Document
    confine: Confine
    base: FilePath
    problems: list[Problem] = field(default_factory=list)
    texts: dict[FilePath, str] = field(default_factory=dict)
    attached: dict[FilePath, None] = field(default_factory=dict)
    media: MediaFiles = field(default_factory=MediaFiles)

    def add(self, rule: str, what: str, path: Path, *, next: str = "", on_key: bool = False) -> None:
        self.problems.append(problem_at(self.doc, rule, what, path, next=next, on_key=on_key))

    @contextmanager
    def catching(self, path: Path) -> Iterator[None]:
        """Keeps the problems of a SpecError raised inside; those without a place get that of `path`."""
        try:
            yield
        except SpecError as error:
            self.problems += [self._placed(problem, path) for problem in error.problems]

    def read(self, written: str, path: Path) -> tuple[str, FilePath]:
        """The text of a file that the spec names at `path`; raises SpecError."""
        file = self.confine.file(written, base=self.base, where=self.doc.where(path))
        if file not in self.texts:
            self.texts[file] = read_text(file, shown=self.confine.shown(file), where=self.doc.where(path))
        return self.texts[file], file

    def _placed(self, problem: Problem, path: Path) -> Problem:
        where: Position = problem.where or self.doc.where(path)
        elsewhere = problem.path or where.file not in (self.doc.file, self.doc.where(path).file)
        return replace(problem, where=where, path=problem.path if elsewhere else path_text(path))
