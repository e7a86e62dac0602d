"""A tree of YAML nodes with their places in the text, and the `Document` that answers where something stands.

Holds no parsing and no rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from runner.errors import Position
from runner.spec.source_text import SourceText

Path: TypeAlias = tuple[str | int, ...]
_NAME = re.compile(r"[A-Za-z_$][\w$-]*")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")  # anchor and tag stand before the value they belong to


@dataclass(slots=True)
class Node:
    """A value in the text. start: index of its first character.

    style: of a scalar, "" for plain, else `'`, `"`, `|` or `>`. size: nodes in it after alias expansion,
    itself included; height: how deep its maps and lists nest.
    """

    start: int
    value: Any = None
    style: str = ""
    entries: dict[str, Child] | None = None
    items: list[Child] | None = None
    size: int = 1
    height: int = 0

    def children(self) -> Iterator[tuple[str | int, Child]]:
        """Key or index of each child; nothing for a scalar."""
        if self.entries is not None:
            yield from self.entries.items()
        elif self.items is not None:
            yield from enumerate(self.items)

    def child(self, step: str | int) -> Child | None:
        if self.entries is not None and isinstance(step, str):
            return self.entries.get(step)
        if self.items is not None and isinstance(step, int) and 0 <= step < len(self.items):
            return self.items[step]
        return None

    def build(self) -> Any:
        """The value as plain data; what an alias repeats is built again, so nothing is shared."""
        if self.entries is not None:
            return {key: child.node.build() for key, child in self.entries.items()}
        if self.items is not None:
            return [child.node.build() for child in self.items]
        return self.value


@dataclass(slots=True)
class Child:
    """A node where a map or list uses it: `start` is the alias's place when there is one, key_start the key's."""

    node: Node
    start: int
    key_start: int


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document as plain data, and where each part of it was written.

    value: None, bool, int, float, str, list or dict with str keys; nothing in it is shared.
    Paths that are not in the text (a default, a `--set`) get the place of their nearest ancestor that is.
    """

    value: Any
    file: str
    source: SourceText = field(repr=False, compare=False)
    root: Node = field(repr=False, compare=False)

    def where(self, path: Path) -> Position:
        """Of the value."""
        return self.source.at(self._find(path).start)

    def key_where(self, path: Path) -> Position:
        """Of the key, or of the item of a list."""
        return self.source.at(self._find(path).key_start)

    def text_line(self, path: Path) -> Position:
        """Where the first line of a string's text stands: below the `|` of a block, behind an opening quote."""
        node = self._find(path).node
        start = _after_properties(self.source.text, node.start)
        if node.style in ("|", ">"):
            return _block_start(self.source, start)
        return self.source.at(start + (1 if node.style in ("'", '"') else 0))

    def _find(self, path: Path) -> Child:
        found = Child(self.root, self.root.start, self.root.start)
        for step in path:
            child = found.node.child(step)
            if child is None:
                break
            found = child
        return found


def _after_properties(text: str, start: int) -> int:
    match = _PROPERTIES.match(text, start)
    return match.end() if match else start


def _block_start(source: SourceText, indicator: int) -> Position:
    """The first character of a block scalar's text; leading blank lines belong to the text."""
    first = source.at(indicator).line + 1
    line = source.line(first)
    return Position(source.file, first, len(line) - len(line.lstrip(" ")) + 1)


def path_text(path: Path) -> str:
    """The path as its author would write it: `messages[0].role`, `vars["my name"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += '["' + step.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return text
