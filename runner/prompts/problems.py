"""The first problems of a plan, and how many more there are: a million bad rows must not become a million messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runner.errors import Position, Problem

MOST: Final = 20
_PER_PLACE: Final = 3
"""A misspelt variable fails in every row: where there are many, three of them say it."""


@dataclass(frozen=True, slots=True)
class SeveralProblems(Problem):
    """The first problem of a request, and the others: its prompt and its system prompt may both be wrong."""

    others: tuple[Problem, ...] = ()


def together(problems: Sequence[Problem]) -> Problem:
    """One problem for all of a request's, at least one."""
    first, *others = problems
    if not others:
        return first
    return SeveralProblems(
        first.rule, first.what, first.where, first.path, first.next, first.severity, others=tuple(others)
    )


class ProblemList:
    """Lists the first problems and counts the others, errors and warnings apart."""

    def __init__(self) -> None:
        self._lists = {"error": _Counted(), "warning": _Counted()}

    @property
    def room(self) -> int:
        """How many errors could still be listed, and one more, so that the rest is noticed."""
        return self._lists["error"].room + 1

    def add(self, problem: Problem) -> None:
        others = problem.others if isinstance(problem, SeveralProblems) else ()
        for one in (problem, *others):
            self._lists[one.severity].add(one)

    def listed(self) -> tuple[Problem, ...]:
        """Errors, then warnings; each with a last line that counts what is not shown."""
        return (*self._lists["error"].listed(), *self._lists["warning"].listed())


class _Counted:
    def __init__(self) -> None:
        self._all: list[Problem] = []
        self._shown: list[Problem] = []
        self._places: dict[tuple[str, Position | None], int] = {}
        self._more = 0
        self._recent: deque[Problem] = deque(maxlen=8)

    @property
    def room(self) -> int:
        return MOST - len(self._shown)

    def add(self, problem: Problem) -> None:
        if problem in self._recent:
            return  # the same row, in another cell or repeat
        self._recent.append(problem)
        if len(self._all) < MOST:
            self._all.append(problem)
        place = (problem.rule, problem.where)
        seen = self._places.get(place, 0)
        if (seen >= _PER_PLACE and problem.where is not None) or not self.room:
            self._more += 1
            return
        self._places[place] = seen + 1
        self._shown.append(problem)

    def listed(self) -> list[Problem]:
        """All of a few problems; of many, what is alike is counted."""
        if len(self._shown) + self._more <= MOST:
            return self._all
        more = f"… and {self._more:,} more {'problem' if self._more == 1 else 'problems'} like these"
        return [*self._shown, Problem("more-problems", more, severity=self._shown[0].severity)]
