"""How a problem is said: where, what, what next, and nothing that acts on a terminal."""

from __future__ import annotations

from runner.errors import Position, Problem


def test_what_a_problem_quotes_does_not_act_on_a_terminal() -> None:
    problem = Problem("file-not-found", "`a\u202egnp.exe` and `\x9b31m`", Position("jobs/é.yaml", 2), next="a\tb\nc")
    assert str(problem) == "jobs/é.yaml:2: `a\\u202egnp.exe` and `\\u009b31m`\n    a\tb\nc"
