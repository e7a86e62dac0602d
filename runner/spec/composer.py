"""Turns YAML events into nodes: anchors, aliases, merge keys, duplicate keys and the limits on size.

Reads events one by one, so a hostile file ends at the limit and not in memory. Gathers what is wrong
and goes on where it can; only a limit ends it early.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from yaml import events as ev

from runner.spec.complaints import Complaints
from runner.spec.document import Child, Node, Path
from runner.spec.near import did_you_mean
from runner.spec.suggest import quoted
from runner.spec.yaml_errors import quote_it
from runner.spec.yaml_values import scalar_value, short_tag

MAX_DEPTH = 100
MAX_NODES = 10_000
Event: TypeAlias = Any  # yaml.Event, whose stubs say that marks may be missing; a parser's events have them


class TooMuch(Exception):
    """The file is too deep or too large to go on; the complaints say so already."""


class Composer:
    """One pass over the events of one file."""

    def __init__(self, complaints: Complaints, events: Iterator[Event]) -> None:
        self._complaints = complaints
        self._source = complaints.source
        self._events = events
        self._anchors: dict[str, Node | None] = {}  # None while the node of that name is still open
        self._nodes = 0
        self._open = 0  # maps and lists around the current event; keys nest as well, so this is no path's length

    def document(self) -> Node | None:
        """The root of the only document, None without any. Raises TooMuch, and what the parser raises."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent):
                if root is not None:
                    step = "keep one document in a file and remove this `---`"
                    self._complain("yaml-documents", "a second document starts here", event, next=step)
                    return root
                root = self._child((), next(self._events)).node
        return root

    # ------------------------------------------------------------ nodes

    def _child(self, path: Path, event: Event, key_start: int | None = None) -> Child:
        start = event.start_mark.index
        node = self._alias(path, event) if isinstance(event, ev.AliasEvent) else self._node(path, event)
        return Child(node, start, start if key_start is None else key_start)

    def _node(self, path: Path, event: Event) -> Node:
        before = self._nodes
        self._open += isinstance(event, ev.CollectionStartEvent)
        self._count(1, event, self._open)
        node = Node(event.start_mark.index)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, ev.ScalarEvent):
            node.value, node.style = scalar_value(event, path, self._complaints), event.style or ""
        elif isinstance(event, ev.MappingStartEvent):
            self._map(path, event, node)
        else:
            self._list(path, event, node)
        node.size = self._nodes - before
        self._open -= isinstance(event, ev.CollectionStartEvent)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _list(self, path: Path, event: Event, node: Node) -> None:
        short_tag(event, path, self._complaints, "seq")
        node.items = []
        while not isinstance(item := next(self._events), ev.SequenceEndEvent):
            child = self._child((*path, len(node.items)), item)
            node.items.append(child)
            node.height = max(node.height, child.node.height)
        node.height += 1

    def _map(self, path: Path, event: Event, node: Node) -> None:
        short_tag(event, path, self._complaints, "map")
        own: dict[str, Child] = {}
        merged: dict[str, Child] = {}
        while not isinstance(key := next(self._events), ev.MappingEndEvent):
            if self._is_template(event, key, path):
                self._skip_two_levels()
                break
            child = self._entry(path, key, own, merged)
            node.height = max(node.height, child.node.height)
        node.entries = {**merged, **own}
        node.height += 1

    def _entry(self, path: Path, key: Event, own: dict[str, Child], merged: dict[str, Child]) -> Child:
        name = self._key(path, key)
        inner = path if name is None else (*path, name)
        child = self._child(inner, next(self._events), key.start_mark.index)
        if name == "<<" and not getattr(key, "style", None):
            self._merge(path, key, child, merged)
        elif name is not None and name in own:
            what = f"{quoted(name)} is written twice; first at {self._source.at(own[name].key_start)}"
            self._complain("duplicate-key", what, key, inner, next="keep one of the two")
        elif name is not None:
            own[name] = child
        return child

    def _key(self, path: Path, key: Event) -> str | None:
        """The name of a key, None after a problem."""
        node = self._child(path, key).node
        if isinstance(node.value, str):
            return node.value
        if node.entries is not None or node.items is not None:
            what, step = "a key cannot be a map or a list", "quote it, or write a name"
        elif node.value is None:
            what, step = "a key cannot be empty", "write its name before the `:`, or quote it"
        else:
            shown = quoted(getattr(key, "value", node.value))
            what, step = f"the key {shown} is not a string", f'quote it: `"{shown[1:-1]}"`'
        self._complain("yaml-key", what, key, path, next=step)
        return None

    # ------------------------------------------------------------ aliases and merge keys

    def _alias(self, path: Path, event: Event) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            self._bad_alias(path, event)
            return Node(event.start_mark.index)
        self._count(node.size, event, self._open + node.height)
        return node

    def _bad_alias(self, path: Path, event: Event) -> None:
        name = event.anchor
        if name in self._anchors:
            what = f"{quoted(f'*{name}')} stands inside the anchor {quoted(f'&{name}')} that it repeats"
            step = "write the value out"
        else:
            what = f"{quoted(f'*{name}')} repeats an anchor that does not stand above it"
            unquoted = f"write {quoted(f'&{name}')} before the value to repeat, or quote the text"
            step = did_you_mean(name, self._anchors, otherwise=unquoted)
        self._complain("yaml-alias", what, event, path, next=step)

    def _merge(self, path: Path, key: Event, child: Child, merged: dict[str, Child]) -> None:
        """Takes over the entries of the maps that a `<<` names; earlier ones win."""
        if merged:
            step = "merge several maps as a list: `<<: [*first, *second]`"
            self._complain("duplicate-key", "the merge key `<<` is written twice", key, path, next=step)
        for one in child.node.items if child.node.items is not None else [child]:
            for name, entry in (one.node.entries or {}).items():
                merged.setdefault(name, entry)
            if one.node.entries is None:
                step = "name the anchor of a map, such as `<<: *defaults`, or quote the `<<`"
                self._complaints.add("yaml-merge", "`<<` takes a map or a list of maps", one.start, path, next=step)

    # ------------------------------------------------------------ templates without quotes

    def _is_template(self, outer: Event, key: Event, path: Path) -> bool:
        """`{{ text }}` without quotes is, to YAML, a map whose key is a map."""
        start = outer.start_mark.index
        if not isinstance(key, ev.MappingStartEvent) or not self._source.text.startswith("{{", start):
            return False
        step = quote_it(self._source, start)
        self._complain("unquoted-template", "YAML reads an unquoted `{{` as a map", outer, path, next=step)
        return True

    def _skip_two_levels(self) -> None:
        """Reads the rest of the two maps that an unquoted `{{` opened, without looking."""
        level = 2
        while level:
            event = next(self._events)
            level += isinstance(event, ev.CollectionStartEvent) - isinstance(event, ev.CollectionEndEvent)
            if level > MAX_DEPTH:
                raise TooMuch

    # ------------------------------------------------------------ limits

    def _count(self, nodes: int, event: Event, depth: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            step = "keep rows in a CSV or JSONL file and name it under `inputs`"
            self._complain("yaml-too-large", f"the file has more than {MAX_NODES:,} keys and values", event, next=step)
            raise TooMuch
        if depth > MAX_DEPTH:
            step = "flatten the value, or keep it in a file of its own"
            self._complain("yaml-too-deep", f"maps and lists are nested more than {MAX_DEPTH} deep", event, next=step)
            raise TooMuch

    def _complain(self, rule: str, what: str, event: Event, path: Path = (), *, next: str) -> None:
        self._complaints.add(rule, what, event.start_mark.index, path, next=next)
