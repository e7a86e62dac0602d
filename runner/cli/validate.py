"""`promptrun validate`: every problem of every spec and row, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli.options import Chosen, reading_specs, selection, service
from runner.cli.telling import all_warnings, warn

if TYPE_CHECKING:
    from runner.errors import Problem
    from runner.planning import PlannedJob


@click.command("validate", epilog="Example:\n\n  promptrun validate specs/triage.yaml specs/review.yaml")
@selection
@click.option("--online", is_flag=True, help="Ask the API what the models can do today, too; free.")
@click.option("--simulate", is_flag=True, help="With --online: ask a simulator on this machine.")
def command(chosen: Chosen, online: bool, simulate: bool) -> None:
    """Check specs and render every row, offline unless --online, which needs credentials.

    All problems are printed at once, each with its place and the next step; exit code 2 when there is one.
    """
    with reading_specs(chosen, service=service(simulate, chosen.allow_hosts)) as planned:
        told = asked(planned, simulate=simulate) if online else []
        warn(told)
        for one in planned:
            warn(all_warnings(one))
            bad = f", {one.plan.bad:,} of them from bad rows" if one.plan.bad else ""
            click.echo(f"{one.job.path}: ok, {one.plan.requests:,} request{'s' if one.plan.requests != 1 else ''}{bad}")


def asked(planned: list[PlannedJob], *, simulate: bool) -> list[Problem]:
    """Warnings of the models themselves, of all specs; raises SpecError when there is an error among them."""
    import asyncio
    import os

    from runner.beforehand import Asking, ask_models
    from runner.errors import SpecError

    async def ask() -> list[Problem]:
        return [problem for one in planned for problem in await ask_models(one, Asking(os.environ, simulate))]

    problems = asyncio.run(ask())
    if any(problem.is_error for problem in problems):
        raise SpecError.of(problems)
    return problems
