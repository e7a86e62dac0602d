"""`promptrun plan`: what a run would send and may cost, before anything is sent."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import Chosen, given_outputs, output_dir, output_format, reading_specs, selection, service, warn

if TYPE_CHECKING:
    from runner.models.estimate import PlanCost
    from runner.pipeline import PlannedJob


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
    """Show what a run would send: requests, identical ones, tokens and cost. Nothing is sent but what
    --count-tokens asks, which needs credentials.

    When an unfinished run would go on, the plan says how much of it is answered.
    """
    from runner.pipeline import job_folder
    from runner.report.text import plan_json, plan_text
    from runner.store import answered_before

    with reading_specs(chosen, service=service(simulate)) as planned:
        for one in planned:
            warn(one.job.warnings)
            folder = job_folder(one.job, given_outputs(output_dir), simulate=simulate)
            cost = cost_of(one, folder, count_tokens=count_tokens, simulate=simulate)
            done = answered_before(folder, one.plan)
            if output == "json":
                click.echo(plan_json(one.job.name, one.plan, cost, done=done))
            else:
                command = command_line(one.job.path, chosen, output_dir, simulate=simulate)
                click.echo(plan_text(one.job.name, one.plan, cost, done=done, command=command))


def cost_of(planned: PlannedJob, folder: Path, *, count_tokens: bool, simulate: bool) -> PlanCost:
    """What the plan may cost. folder: of the job's earlier runs, which tell how long its answers are."""
    import asyncio
    import os

    from runner.beforehand import Asking, count_input
    from runner.prompts.plan_cost import Known, plan_cost
    from runner.store import earlier_lengths

    counted = asyncio.run(count_input(planned, Asking(os.environ, simulate))) if count_tokens else {}
    return plan_cost(planned.ledger, planned.job, Known(earlier_lengths(folder), counted))


def command_line(spec: Path, chosen: Chosen, output_dir: Path | None, *, simulate: bool = False) -> str:
    """What to type to run exactly what was planned."""
    words = ["promptrun", str(spec), *(["--simulate"] if simulate else [])]
    words += ["--limit", str(chosen.limit)] if chosen.limit else []
    for option, values in (
        ("--only", chosen.only),
        ("--var", chosen.variables),
        ("--set", chosen.sets),
        ("--allow-path", chosen.allow_paths),
        ("--allow-host", chosen.allow_hosts),
    ):
        for value in values:
            words += [option, str(value)]
    return shlex.join([*words, "--output-dir", str(output_dir)] if output_dir else words)
