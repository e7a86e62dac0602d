"""A document with parts that were written elsewhere: a `--set` argument, a cell of the matrix.

Only answers where a value stands; who lays what over which document is decided in `overrides.py` and `load.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.errors import Position
from runner.spec.document import Document, Path


@dataclass(frozen=True)
class Overlay(Document):
    """value: the whole new tree. moved: for the top of each part written elsewhere, the place of that text."""

    moved: Mapping[Path, Path | Position] = field(default_factory=dict)

    def where(self, path: Path) -> Position:
        place = self._origin(path)
        return place if isinstance(place, Position) else Document.where(self, place)

    def key_where(self, path: Path) -> Position:
        place = self._origin(path)
        return place if isinstance(place, Position) else Document.key_where(self, place)

    def text_line(self, path: Path) -> Position:
        place = self._origin(path)
        return place if isinstance(place, Position) else Document.text_line(self, place)

    def _origin(self, path: Path) -> Path | Position:
        for size in range(len(path), -1, -1):
            place = self.moved.get(path[:size])
            if place is not None:
                return place if isinstance(place, Position) else (*place, *path[size:])
        return path


def overlay(doc: Document, value: Any, moved: Mapping[Path, Path | Position]) -> Overlay:
    """The document with another tree; what an earlier overlay moved stays moved, unless this one replaces it."""
    old = doc.moved if isinstance(doc, Overlay) else {}
    earlier = {path: place for path, place in old.items() if not any(path[: len(new)] == new for new in moved)}
    return Overlay(value, doc.file, doc.source, doc.root, {**earlier, **moved})
