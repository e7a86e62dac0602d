"""`run.confirm_above`: asking before a run that may cost more is begun, or insisting on a word beforehand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from runner.cli.streams import say
from runner.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from runner.planning import PlannedJob

RULE = "unconfirmed"


def confirm(planned: Sequence[PlannedJob], *, yes: bool, max_cost: float | None) -> None:
    """Asks on a terminal once for all jobs that may cost more than their spec lets pass unasked.

    Without a terminal a cap says enough: the job's `max_cost`, or `--max-cost`. Raises SpecError (exit code 2) when
    nobody says yes; nothing was sent then. yes: `--yes` was said.
    """
    dear = [] if yes else [one for one in planned if one.job.run.confirm_above is not None]
    asked = [(one, text) for one in dear if (text := question(one, max_cost))]
    if not asked:
        return
    if on_terminal():
        for _, text in asked:
            say(text)
        if not click.confirm("Send it?", default=False, err=True):
            raise SpecError("not confirmed; nothing was sent", rule=RULE)
        return
    open_ended = [one for one, _ in asked if max_cost is None and one.job.run.max_cost is None]
    if open_ended:
        raise SpecError.of([_problem(one, question(one, max_cost)) for one in open_ended])


def question(one: PlannedJob, max_cost: float | None) -> str:
    """What has to be confirmed, "" when the job may not cost more than `confirm_above`.

    Compared is the bound that `promptrun plan` shows as `at most`, or the lowest cap that is a wall.
    """
    from runner.models.dollars import dollars
    from runner.prompts.plan_cost import plan_cost

    run = one.job.run
    above = run.confirm_above or 0.0
    walls = [max_cost, run.max_cost.usd if run.max_cost and not run.max_cost.best_effort else None]
    bounds = [usd for usd in (plan_cost(one.ledger, one.job).most_usd, *walls) if usd is not None]
    if bounds and min(bounds) <= above:
        return ""
    cost = f"up to {dollars(min(bounds))}" if bounds else "an unknown amount: a model has no known price"
    return f"{one.job.name} may cost {cost}, and `run.confirm_above` is {dollars(above)}"


def on_terminal() -> bool:
    """Whether somebody can be asked and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _problem(one: PlannedJob, what: str) -> Problem:
    where = one.job.doc.where(("run", "confirm_above")) if one.job.doc else Position(str(one.job.path))
    step = "add `--yes`, or cap it with `--max-cost USD` or `run.max_cost`"
    return Problem(RULE, f"{what}; there is no terminal to ask on", where, "run.confirm_above", step)
