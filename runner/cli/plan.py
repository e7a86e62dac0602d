"""`promptrun plan`: what a run would send and may cost, before anything is sent."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import (
    Chosen,
    given_outputs,
    output_dir,
    output_format,
    reading_specs,
    selection,
    service,
    words_to_run,
)
from runner.cli.telling import warn

if TYPE_CHECKING:
    from runner.models.estimate import PlanCost
    from runner.planning import PlannedJob
    from runner.prompts.plan_cost import Counted


@click.command("plan", epilog="Example:\n\n  promptrun plan specs/styles.yaml")
@selection
@click.option("--count-tokens", is_flag=True, help="Have the API count the input, on a sample; free.")
@click.option("--simulate", is_flag=True, help="For a simulated run; what is counted is counted by a simulator.")
@output_dir
@output_format
def command(
    chosen: Chosen,
    count_tokens: bool,
    simulate: bool,
    output_dir: Path | None,
    output: str,
) -> None:
    """Show what a run would send: what is new or changed against earlier runs and why, what is reused, and what
    the rest may cost. Nothing is sent but what --count-tokens asks, which needs credentials.
    """
    from runner.cli.changes import compared
    from runner.report.text import plan_json, plan_text
    from runner.sitting import job_folder, plans_of_runs

    outputs = given_outputs(output_dir)
    kept = plans_of_runs(outputs, simulate=simulate)
    with reading_specs(chosen, service=service(simulate, chosen.allow_hosts), kept=kept) as planned:
        for one in planned:
            warn(one.job.warnings)
            folder = job_folder(one.job, outputs, simulate=simulate)
            against = compared(one, folder, simulate=simulate)
            left, changes = against.planned, against.changes
            cost = cost_of(left, folder, count_tokens=count_tokens, simulate=simulate)
            if output == "json":
                click.echo(plan_json(one.job.name, left.plan, cost, changes=changes))
            else:
                command = command_line(one.job.path, chosen, output_dir, simulate=simulate)
                click.echo(plan_text(one.job.name, left.plan, cost, changes=changes, command=command))


def cost_of(planned: PlannedJob, folder: Path, *, count_tokens: bool, simulate: bool) -> PlanCost:
    """What the plan may cost. folder: of the job's earlier runs, which tell how long its answers are."""
    from runner.prompts.plan_cost import Known, plan_cost
    from runner.store import earlier_lengths

    counted = counted_by_api(planned, simulate=simulate) if count_tokens else {}
    return plan_cost(planned.ledger, planned.job, Known(earlier_lengths(folder), counted))


def counted_by_api(planned: PlannedJob, *, simulate: bool) -> dict[str, Counted]:
    """How many tokens the input has, by model."""
    import asyncio
    import os

    from runner.beforehand import Asking, count_input

    return asyncio.run(count_input(planned, Asking(os.environ, simulate)))


def command_line(spec: Path, chosen: Chosen, output_dir: Path | None, *, simulate: bool = False) -> str:
    """What to type to run exactly what was planned."""
    words = ["promptrun", *words_to_run([spec], chosen, simulate=simulate)]
    return shlex.join([*words, "--output-dir", str(output_dir)] if output_dir else words)
