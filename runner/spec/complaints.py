"""Gathers what is wrong with a YAML text while it is read; holds no rules."""

from __future__ import annotations

from runner.errors import Problem
from runner.spec.document import Path, path_text
from runner.spec.source_text import SourceText


class Complaints:
    """`found` in the order of reading."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.found: list[Problem] = []

    def add(self, rule: str, what: str, index: int, path: Path = (), *, next: str = "") -> None:
        """index: of the character to blame; path: where in the document, () when it is the file's fault."""
        self.found.append(Problem(rule, what, self.source.at(index), path_text(path), next))
