"""`run.confirm_above`: asking before a run that may cost more is begun, or insisting on a word beforehand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from runner.cli.streams import say
from runner.confirming import RULE, is_capped, question
from runner.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from runner.planning import PlannedJob


def confirm(planned: Sequence[PlannedJob], *, yes: bool, max_cost: float | None) -> None:
    """Asks on a terminal once for all jobs that may cost more than their spec lets pass unasked.

    Without a terminal a cap says enough: the job's `max_cost`, or `--max-cost`. Raises SpecError (exit code 2) when
    nobody says yes; nothing was sent then. yes: `--yes` was said.
    """
    asked = [(one, text) for one in planned if not yes and (text := question(one, max_cost))]
    if not asked:
        return
    if on_terminal():
        for _, text in asked:
            say(text)
        if not click.confirm("Send it?", default=False, err=True):
            raise SpecError("not confirmed; nothing was sent", rule=RULE)
        return
    open_ended = [one for one, _ in asked if not is_capped(one, max_cost)]
    if open_ended:
        raise SpecError.of([_problem(one, question(one, max_cost)) for one in open_ended])


def on_terminal() -> bool:
    """Whether somebody can be asked and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _problem(one: PlannedJob, what: str) -> Problem:
    where = one.job.doc.where(("run", "confirm_above")) if one.job.doc else Position(str(one.job.path))
    step = "add `--yes`, or cap it with `--max-cost USD` or `run.max_cost`"
    return Problem(RULE, f"{what}; there is no terminal to ask on", where, "run.confirm_above", step)
