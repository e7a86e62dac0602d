"""Finds regular expressions that can take forever: those in which a repeated part can match a text in several ways.

`^(a+)+$` needs twice the time for each more `a` that is followed by something else. Replies are hostile and Python's
`re` cannot be interrupted, so such a pattern must not reach one. The test is that of deterministic expressions: after
each character of a repeated part, the next character may be matched at one place only, and in one way.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Final

_PROBES: Final = tuple(map(chr, (*range(0x180), 0x3B1, 0x4E2D)))
_SINGLE: Final = frozenset(("LITERAL", "NOT_LITERAL", "ANY", "IN", "RANGE", "CATEGORY"))
_REPEATS: Final = frozenset(("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"))
NO_PATTERN: Final = (re.error, OverflowError, RecursionError)
_FEW: Final = 4
"""A part repeated at most so often, over all repeats around it, takes longer, but not forever."""


def compiled(pattern: str) -> re.Pattern[str]:
    """The expression. Raises NO_PATTERN for what is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[` means today what it says
        return re.compile(pattern)


def is_slow(pattern: str) -> bool:
    """Whether some text may take more than polynomial time. Raises NO_PATTERN for what is no regular expression."""
    parser: Any = re._parser  # type: ignore[attr-defined]  # the tree behind `re.compile`
    found = _Places()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found.sequence(parser.parse(pattern), times=1)
    return found.ambiguous


@dataclass
class _Part:
    """first, last: the places at which a match of the part may begin and end. empty: whether it may match nothing."""

    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    empty: bool = True


@dataclass
class _Places:
    """The characters of an expression, each a place. matches: what fits there; follow: the places behind it, by way."""

    matches: list[frozenset[str]] = field(default_factory=list)
    follow: list[list[int]] = field(default_factory=list)
    ambiguous: bool = False

    def sequence(self, items: Any, *, times: int) -> _Part:
        """times: how often the repeats around it may repeat it, at most."""
        whole = _Part()
        for op, argument in items:
            part = self._item(str(op), argument, times)
            for place in whole.last:
                self.follow[place] += part.first
            whole = _Part(
                whole.first + (part.first if whole.empty else []),
                part.last + (whole.last if part.empty else []),
                whole.empty and part.empty,
            )
        return whole

    def _item(self, op: str, argument: Any, times: int) -> _Part:
        if op in _SINGLE:
            return self._place(op, argument)
        if op in _REPEATS:
            least, most, items = argument
            return self._repeat(int(least), int(most), items, times)
        if op == "BRANCH":
            return self._branch(argument[1], times)
        if op in ("SUBPATTERN", "ATOMIC_GROUP"):
            return self.sequence(argument[-1] if op == "SUBPATTERN" else argument, times=times)
        if op in ("ASSERT", "ASSERT_NOT"):
            self.sequence(argument[1], times=1)
            return _Part()
        if op in ("GROUPREF", "GROUPREF_EXISTS"):
            self.ambiguous = self.ambiguous or times > _FEW
        return _Part()

    def _place(self, op: str, argument: Any) -> _Part:
        self.matches.append(_characters(op, argument))
        self.follow.append([])
        place = len(self.matches) - 1
        return _Part([place], [place], empty=False)

    def _branch(self, branches: Any, times: int) -> _Part:
        parts = [self.sequence(branch, times=times) for branch in branches]
        empty = sum(part.empty for part in parts)
        self.ambiguous = self.ambiguous or (empty > 1 and times > _FEW)
        first = [place for part in parts for place in part.first]
        last = [place for part in parts for place in part.last]
        return _Part(first, last, empty > 0)

    def _repeat(self, least: int, most: int, items: Any, times: int) -> _Part:
        before = len(self.matches)
        part = self.sequence(items, times=times * most)
        if most > 1:
            for place in part.last:
                self.follow[place] += part.first
        if times * most > _FEW:
            inside = range(before, len(self.matches))
            ways = [[place for place in self.follow[one] if place in inside] for one in inside]
            nothing = part.empty and max(times, least) > _FEW  # which of the rounds matched nothing?
            self.ambiguous = self.ambiguous or nothing or any(map(self._overlap, [*ways, part.first]))
        return _Part(part.first, part.last, part.empty or least == 0)

    def _overlap(self, places: list[int]) -> bool:
        """Whether one character fits at two of them."""
        seen: set[str] = set()
        for place in places:
            if seen & self.matches[place]:
                return True
            seen |= self.matches[place]
        return False


def _characters(op: str, argument: Any) -> frozenset[str]:
    """Which of the probes one element matches, and the characters that it names."""
    items = argument if op == "IN" else [(op, argument)]
    negated = bool(items) and str(items[0][0]) == "NEGATE"
    wanted = set().union(*(_of_one(str(kind), value) for kind, value in items)) if items else set()
    return frozenset(set(_PROBES) - wanted if negated else wanted)


def _of_one(kind: str, value: Any) -> set[str]:
    if kind == "LITERAL":
        return {chr(value)}
    if kind == "NOT_LITERAL":
        return set(_PROBES) - {chr(value)}
    if kind == "RANGE":
        low, high = value
        return {one for one in _PROBES if low <= ord(one) <= high} | {chr(low), chr(high)}
    if kind == "CATEGORY":
        return set(re.findall(_CATEGORIES[str(value)], "".join(_PROBES)))
    return set(_PROBES) if kind == "ANY" else set()


_CATEGORIES: Final = {
    "CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W",
}  # fmt: skip
