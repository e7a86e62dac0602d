"""`promptrun plan`: what a run would send and may cost, before anything is sent."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from runner.cli.options import Chosen, given_outputs, output_dir, output_format, reading_specs, selection, service, warn


@click.command("plan", epilog="Example:\n\n  promptrun plan specs/styles.yaml")
@selection
@output_dir
@output_format
def command(
    chosen: Chosen,
    output_dir: Path | None,
    output: str,
) -> None:
    """Show what a run would send: requests, identical ones, tokens and cost. Nothing is sent.

    When an unfinished run would go on, the plan says how much of it is answered.
    """
    from runner.pipeline import job_folder
    from runner.report.text import plan_json, plan_text
    from runner.store import answered_before

    with reading_specs(chosen, service=service()) as planned:
        for one in planned:
            warn(one.job.warnings)
            folder = job_folder(one.job, given_outputs(output_dir))
            done = answered_before(folder, one.plan)
            if output == "json":
                click.echo(plan_json(one.job.name, one.plan, done=done))
            else:
                command = command_line(one.job.path, chosen, output_dir)
                click.echo(plan_text(one.job.name, one.plan, done=done, command=command))


def command_line(spec: Path, chosen: Chosen, output_dir: Path | None) -> str:
    """What to type to run exactly what was planned."""
    words = ["promptrun", str(spec)]
    words += ["--limit", str(chosen.limit)] if chosen.limit else []
    for option, values in (
        ("--only", chosen.only),
        ("--var", chosen.variables),
        ("--set", chosen.sets),
        ("--allow-path", chosen.allow_paths),
    ):
        for value in values:
            words += [option, str(value)]
    return shlex.join([*words, "--output-dir", str(output_dir)] if output_dir else words)
