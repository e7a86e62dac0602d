"""`promptrun runs`: the runs of a job, newest first."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import output_dir, output_format, outputs_here


@click.command("runs", epilog="Example:\n\n  promptrun runs triage")
@click.argument("job", required=False)
@output_dir
@output_format
def command(job: str | None, output_dir: Path | None, output: str) -> None:
    """List the runs of JOB (of every job, unless given), newest first."""
    from runner.report.text import runs_table
    from runner.store import list_runs
    from runner.store.files import to_json

    runs = list_runs(outputs_here(output_dir), job)
    if output == "json":
        for run in runs:
            click.echo(to_json(run))
    else:
        click.echo(runs_table(runs))
