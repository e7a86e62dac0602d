"""The files that templates read, and where each template was written.

Every path goes through `Confine`; what is read is remembered, so that a run can name it and a million rows can
ask for the same notes. Knows nothing of Jinja but the exception for a file that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import TemplateNotFound

from runner.errors import Position, Problem, SpecError
from runner.spec.template_values import MAX_TEXT, Fault

if TYPE_CHECKING:
    from runner.spec.paths import Confine

_MOST_LISTED: Final = 1000
_MOST_KEPT: Final = 64
_SMALL: Final = 1024 * 1024


@dataclass(frozen=True)
class Origin:
    """Where a template's text was written. text: the source, to tell which of its lines is which of the file's."""

    at: Position
    base: Path
    text: str


class MissingFile(TemplateNotFound):
    """An included file that is not there, in Jinja's own kind of exception: `ignore missing` catches those."""

    def __init__(self, name: str, problem: Problem) -> None:
        super().__init__(name)
        self.problem = problem


class TemplateFiles:
    """origins: template name → where it stands; the names are ours, or the paths of included files.

    read: the files read so far, in order, the first thousand.
    """

    def __init__(self, confine: Confine) -> None:
        self.origins: dict[str, Origin] = {}
        self.read: dict[Path, None] = {}
        self._confine = confine
        self._texts: dict[tuple[str, Path], str] = {}
        self._missing: dict[str, Problem] = {}
        self._lines: dict[str, list[str]] = {}

    def path_of(self, written: str, parent: str) -> str:
        """The absolute path of an included file, which is relative to the file that includes it.

        One that is not there is the loader's to report: Jinja tries the next of a list, or leaves it out.
        """
        base = self.origins[parent].base
        try:
            return str(self._confine.file(written, base=base))
        except SpecError as error:
            if error.problems[0].rule != "file-not-found":
                raise
            path = str(self._confine.resolve(written, base=base))
            self._missing[path] = error.problems[0]
            return path

    def source_of(self, included: str) -> str:
        """The text of a file that `path_of` resolved, which from now on has an origin. Raises MissingFile."""
        problem = self._missing.pop(included, None)
        if problem is not None:
            raise MissingFile(included, problem)
        path = Path(included)
        text = self._read(path)
        self.origins[included] = Origin(Position(self._confine.shown(path), 1), path.parent, text)
        return text

    def text_of(self, written: str, base: Path) -> str:
        """A file's text, for `file()`; small files are kept, since every row may ask for the same one."""
        text = self._texts.get((written, base))
        if text is None:
            text = self._read(self._confine.file(written, base=base))
            if len(self._texts) >= _MOST_KEPT:
                self._texts.clear()
            if len(text) <= _SMALL:
                self._texts[written, base] = text
        return text

    def line(self, file: str, number: int) -> str:
        """A line of a file that a template stands in, "" when there is none; only ever needed for messages."""
        if file not in self._lines:
            try:
                text = (self._confine.root / file).read_text(encoding="utf-8-sig", errors="replace")
            except (OSError, ValueError):  # an argument of the command line is no file
                text = ""
            self._lines[file] = text.splitlines()
        lines = self._lines[file]
        return lines[number - 1] if number <= len(lines) else ""

    def _read(self, path: Path) -> str:
        """A UTF-8 file of at most 32 MB. Raises SpecError for one that cannot be read, Fault for a larger one."""
        from runner.spec.paths import read_text

        shown = self._confine.shown(path)
        if path.stat().st_size > MAX_TEXT:
            raise Fault("template-too-large", f"`{shown}` is larger than 32 MB", "name a smaller file")
        if len(self.read) < _MOST_LISTED:
            self.read[path] = None
        return read_text(path, shown=shown)
