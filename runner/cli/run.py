"""`promptrun run`: validate, plan and run specs."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from runner.cli.options import (
    Chosen,
    all_warnings,
    given_outputs,
    output_dir,
    output_format,
    outputs_here,
    reading_specs,
    selection,
    service,
    tell_where,
    warn,
    warn_of_log,
)
from runner.cli.streams import put, say

if TYPE_CHECKING:
    from runner.pipeline import Finished, PlannedJob, RunOptions


@click.command("run", epilog="Example:\n\n  promptrun run specs/triage.yaml --simulate --limit 5")
@selection
@click.option("--simulate", is_flag=True, help="Ask a simulator on this machine: no credentials, no cost.")
@click.option("--fresh", is_flag=True, help="Start a new run, even when an unfinished one could go on.")
@click.option("--concurrency", type=click.IntRange(1, 1000), metavar="N", help="Requests in flight at once.")
@output_dir
@output_format
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
def command(
    chosen: Chosen,
    simulate: bool,
    fresh: bool,
    concurrency: int | None,
    output_dir: Path | None,
    output: str,
    quiet: bool,
) -> int:
    """Validate, plan and run specs; results go to outputs/.

    Nothing is sent before every spec and every row is known to be right. A run that was interrupted goes on
    when the same command is typed again. stdout gets one run folder a line, stderr the summary.
    """
    from runner.pipeline import RunOptions

    with reading_specs(chosen, service=service(simulate)) as planned:
        for one in planned:
            warn(all_warnings(one))
            if not simulate:
                tell_where(one.job.client)
        warn_of_log(os.environ)
        options = RunOptions(
            outputs=given_outputs(output_dir),
            simulate=simulate,
            fresh=fresh,
            concurrency=concurrency,
            arguments=tuple(sys.argv[1:]),
        )
        return run_all(planned, options, quiet=quiet, output=output)


def run_all(planned: list[PlannedJob], options: RunOptions, *, quiet: bool, output: str) -> int:
    """Run the jobs on an event loop of their own; the exit code of several is the first that applies."""
    import asyncio

    from runner.pipeline import first_that_applies

    return first_that_applies(asyncio.run(send_all(planned, options, quiet=quiet, output=output)))


async def send_all(planned: list[PlannedJob], options: RunOptions, *, quiet: bool, output: str) -> list[int]:
    from runner.cli.progress import Shown
    from runner.cli.signals import stopping_on_signals
    from runner.engine.live import Stop
    from runner.pipeline import World, run_jobs

    stop, shown, codes = Stop(), Shown(quiet), []
    with stopping_on_signals(stop, shown.say):
        async for finished in run_jobs(planned, options, stop, World(observer=shown.start)):
            shown.end()
            codes.append(finished.exit_code)
            tell(finished, options, quiet=quiet, output=output)
    return codes


def tell(finished: Finished, options: RunOptions, *, quiet: bool, output: str) -> None:
    """The run's folder or its JSON object to stdout; the summary, or at least why it stopped, to stderr."""
    from runner.report.text import cause_text, summary_text

    summary, cause = finished.summary, finished.ended.cause
    if output == "json":
        failure = cause.to_json() if cause else None
        put(orjson.dumps(summary.to_json() | {"failure": failure, "exit_code": finished.exit_code}))
    else:
        put(summary.folder)
    if not quiet:
        say(summary_text(summary, cause, command=again(options.arguments), elsewhere=elsewhere(finished)))
    elif cause:
        say(cause_text(summary, cause))


def again(arguments: tuple[str, ...]) -> str:
    """The command that goes on with this run: as typed, without the `--fresh` that would start over and pay twice."""
    return shlex.join(["promptrun", *(word for word in arguments if word != "--fresh")])


def elsewhere(finished: Finished) -> str:
    """The outputs folder, unless `promptrun show` typed here would look there by itself."""
    outputs = finished.outputs.resolve()
    return "" if outputs == outputs_here(None).resolve() else str(outputs)
