"""`promptrun validate`: every problem of every spec and row, before anything is sent."""

from __future__ import annotations

import click

from runner.cli.options import Chosen, all_warnings, reading_specs, selection, service, warn


@click.command("validate", epilog="Example:\n\n  promptrun validate specs/triage.yaml specs/review.yaml")
@selection
def command(chosen: Chosen) -> None:
    """Check specs and render every row, offline.

    All problems are printed at once, each with its place and the next step; exit code 2 when there is one.
    """
    with reading_specs(chosen, service=service()) as planned:
        for one in planned:
            warn(all_warnings(one))
            bad = f", {one.plan.bad:,} of them from bad rows" if one.plan.bad else ""
            click.echo(f"{one.job.path}: ok, {one.plan.requests:,} request{'s' if one.plan.requests != 1 else ''}{bad}")
