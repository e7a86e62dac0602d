"""Problems as text: each with its place and next step, errors before warnings, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import Problem
from runner.report.words import count


def _place(problem: Problem) -> tuple[str, int, int]:
    where = problem.where
    return (where.file, where.line, where.column) if where else ("", 0, 0)


def problems_text(problems: Sequence[Problem]) -> str:
    """All problems, by file and line; the last line counts them. "" when there are none."""
    if not problems:
        return ""
    ordered = sorted(problems, key=lambda one: (not one.is_error, *_place(one), one.path))
    errors = sum(problem.is_error for problem in problems)
    counts = [
        count(number, word) for number, word in ((errors, "error"), (len(problems) - errors, "warning")) if number
    ]
    return "\n".join([*map(str, ordered), "", ", ".join(counts)])
