"""After the run: which requests should have shared a prefix and did not, and the first byte where two of them differ.

Listens to results as they are written; what it keeps is bounded. Looks at this sitting's answers only, and judges by
what the API says it read and wrote. https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

import orjson

from runner.prompts.breakpoints import prefix_hash
from runner.prompts.key import canonical_json
from runner.prompts.prefixes import least_bytes, pieces
from runner.records import Event, Json, PrefixEnd, Request, RequestDone, Result

MOST_PREFIXES: Final = 10_000
MOST_CELLS: Final = 100
"""What is remembered at a time; of each cell also the bodies of two requests."""

MOST_FINDINGS: Final = 10
_AROUND: Final = 30


@dataclass(frozen=True, slots=True)
class Difference:
    """The first byte where two prompts differ. place: the block; byte: from 0 in its text; one, other: around it."""

    place: str
    byte: int
    one: str
    other: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Requests that did not share a prefix. kind: `differs`, `written_again` or `not_cached`.

    prefix: its hash, "" when every request has its own. requests: how many did not read it, of how many.
    examples: ids of two of them. difference: None when what comes before the breakpoint is the same.
    """

    kind: str
    model: str
    prefix: str
    requests: int
    of: int
    examples: tuple[str, ...]
    difference: Difference | None = None

    def to_json(self) -> dict[str, Json]:
        found = self.difference
        return {
            "kind": self.kind,
            "model": self.model,
            "prefix": self.prefix,
            "requests": self.requests,
            "of": self.of,
            "examples": list(self.examples),
            "difference": {name: getattr(found, name) for name in found.__slots__} if found else None,
            "text": str(self),
        }

    def __str__(self) -> str:
        many = f"{self.requests:,} of {self.of:,} requests"
        if self.kind == "written_again":
            same = "their bytes are the same up to the breakpoint"
            return f"{many} that share the prefix {self.prefix} wrote it again; {same}"
        if self.kind == "not_cached":
            why = f"`{self.model}` seems to need a longer one"
            return f"{many} that share the prefix {self.prefix} neither wrote nor read it: {why}"
        text = f"{many} to `{self.model}` could have shared a prefix and each sent its own"
        if self.difference is None:
            return text
        place = f"{self.difference.place} differs first at byte {self.difference.byte:,}"
        two = f" in rows `{self.examples[0]}` and `{self.examples[1]}`" if len(self.examples) > 1 else ""
        return f"{text}: {place}{two}: `{self.difference.one}` or `{self.difference.other}`"


@dataclass(slots=True)
class _Shared:
    """Answers to requests that share a prefix. alone: those that neither read nor wrote it. cell: of the first."""

    model: str
    cell: bytes
    answers: int = 0
    reads: int = 0
    writes: int = 0
    alone: int = 0
    ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Cell:
    """Answers of one cell. alone: those that read no prefix; bodies: of the first two of them that differ."""

    model: str
    answers: int = 0
    alone: int = 0
    ids: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def note(self, request: Request, end: PrefixEnd) -> None:
        self.alone += 1
        if len(self.ids) < 2 and end.id not in self.ends:
            self.ids.append(request.id)
            self.ends.append(end.id)
            self.bodies.append(request.body)


@dataclass
class CacheAudit:
    """Feed it every event of a sitting (`observe`), then ask for `findings`.

    manual: marks were made by hand, so that nobody knows beforehand which prefixes are shared.
    """

    manual: bool = False
    prefixes: OrderedDict[str, _Shared] = field(default_factory=OrderedDict)
    cells: dict[bytes, _Cell] = field(default_factory=dict)
    folded: list[Finding] = field(default_factory=list)

    def observe(self, event: Event) -> None:
        if isinstance(event, RequestDone) and event.result.usage and event.result.request.ends:
            self._answered(event.result, event.result.usage)

    def findings(self) -> list[Finding]:
        """The gravest first. Ask once."""
        self._fold(0)
        found = [*(one for cell in self.cells.values() if (one := _of_cell(cell)) is not None), *self.folded]
        return sorted(found, key=lambda one: -one.requests)[:MOST_FINDINGS]

    def _answered(self, result: Result, usage: Mapping[str, Any]) -> None:
        request = result.request
        read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
        key = canonical_json([request.model, request.cell])
        if request.prefix is not None:
            group = self.prefixes.setdefault(request.prefix, _Shared(request.model, key))
            group.answers += 1
            group.reads += read > 0
            group.writes += written > 0 and (read == 0 or (len(request.prefixes) > 1 and len(result.calls) == 1))
            group.alone += read == 0 and written == 0
            group.ids += [request.id] if len(group.ids) < 2 else []
            self._fold(MOST_PREFIXES)
        if len(self.cells) >= MOST_CELLS and key not in self.cells:
            return
        cell = self.cells.setdefault(key, _Cell(request.model))
        cell.answers += 1
        end = request.ends[-1] if self.manual and written else meant_to_be_shared(request)
        if end is not None and not read:
            cell.note(request, end)

    def _fold(self, most: int) -> None:
        """Forget the prefixes first seen longest ago; what is wrong with them is kept."""
        while len(self.prefixes) > most:
            prefix, group = self.prefixes.popitem(last=False)
            if self.manual and group.reads and group.cell in self.cells:  # written, and read by others: as it should be
                self.cells[group.cell].alone -= group.writes
            if len(self.folded) < MOST_FINDINGS:
                self.folded += _of_prefix(prefix, group)


def meant_to_be_shared(request: Request) -> PrefixEnd | None:
    """The end of tools and system prompt when nobody else in the plan has it, though it is long enough to cache."""
    ends = [end for end in request.ends if end.place[0] != "messages"]
    if not ends or ends[-1].size < least_bytes(request.model):
        return None
    hashes = {prefix.hash for prefix in request.prefixes}
    return None if prefix_hash(ends[-1]) in hashes else ends[-1]


def first_difference(one: bytes, other: bytes) -> Difference | None:
    """Where two bodies differ first, in the order in which the cache reads them; None when they do not."""
    for a, b in zip_longest(_texts(one), _texts(other), fillvalue=("", b"")):
        if a[1] != b[1]:
            at = next(
                (n for n, (x, y) in enumerate(zip(a[1], b[1], strict=False)) if x != y), min(len(a[1]), len(b[1]))
            )
            return Difference(a[0] or b[0], at, _excerpt(a[1], at), _excerpt(b[1], at))
    return None


def _texts(body: bytes) -> Iterator[tuple[str, bytes]]:
    """(place, bytes) of everything that a prefix is made of."""
    tree = orjson.loads(body)
    yield "model", str(tree["model"]).encode()
    for level, place, piece in pieces(tree):
        if place is None:
            yield "settings", level or b""
        else:
            yield _shown(place), _bytes(piece)


def _bytes(piece: Json) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    text = piece.get("text")
    if isinstance(text, str):
        return text.encode()
    return canonical_json({name: value for name, value in piece.items() if name != "cache_control"})


def _shown(place: tuple[str | int, ...]) -> str:
    name, *steps = place
    inner = f"[{steps[0]}]" if steps else ""
    return f"{name}{inner}" if len(steps) < 2 else f"{name}{inner}.content[{steps[1]}]"


def _excerpt(text: bytes, at: int) -> str:
    piece = text[max(0, at - _AROUND) : at + _AROUND].decode("utf-8", "ignore")
    return " ".join("".join(char if char.isprintable() else " " for char in piece).split()).replace("`", "'")


def _of_cell(group: _Cell) -> Finding | None:
    if group.alone < 2 or len(group.bodies) < 2:
        return None
    difference = first_difference(*group.bodies)
    return Finding("differs", group.model, "", group.alone, group.answers, tuple(group.ids), difference)


def _of_prefix(prefix: str, group: _Shared) -> list[Finding]:
    found = []
    if group.writes > 1:
        found.append(Finding("written_again", group.model, prefix, group.writes - 1, group.answers, tuple(group.ids)))
    if group.answers > 1 and group.alone == group.answers:
        found.append(Finding("not_cached", group.model, prefix, group.alone, group.answers, tuple(group.ids)))
    return found


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
