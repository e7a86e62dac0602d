"""`promptrun run`: validate, plan and run specs."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from runner.cli.options import (
    Chosen,
    all_warnings,
    given_outputs,
    outputs_here,
    plans_of_runs,
    reading_specs,
    selection,
    sending,
    service,
    tell_where,
    warn,
    warn_of_log,
)
from runner.cli.streams import put, say
from runner.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.planning import PlannedJob
    from runner.records import Event
    from runner.sitting import Finished, RunOptions, Started

    Watch = Callable[[Started], Callable[[Event], None]]


@click.command("run", epilog="Example:\n\n  promptrun run specs/triage.yaml --simulate --limit 5")
@selection
@click.option("--simulate", is_flag=True, help="Ask a simulator on this machine: no credentials, no cost.")
@click.option("--fresh", is_flag=True, help="Start a new run, even when an unfinished one could go on.")
@sending
def command(
    chosen: Chosen,
    simulate: bool,
    fresh: bool,
    wait: bool,
    concurrency: int | None,
    max_cost: float | None,
    yes: bool,
    output_dir: Path | None,
    output: str,
    log_file: Path | None,
    quiet: bool,
) -> int:
    """Validate, plan and run specs; results go to outputs/.

    Nothing is sent before every spec and every row is known to be right. A run that was interrupted goes on
    when the same command is typed again. stdout gets one run folder a line, stderr the summary.
    """
    from runner.cli.changes import before_sending
    from runner.sitting import RunOptions, job_folder

    kept = plans_of_runs(output_dir, simulate=simulate)
    with reading_specs(chosen, service=service(simulate), kept=kept) as planned:
        for place, one in enumerate(planned):
            warn(all_warnings(one))
            if not simulate:
                tell_where(one.job.client)
            folder = job_folder(one.job, given_outputs(output_dir), simulate=simulate)
            planned[place], changes = before_sending(one, folder, simulate=simulate, fresh=fresh)
            for line in () if quiet else changes.splitlines():
                say(f"{one.job.name}: {line}")
        warn_of_log(os.environ)
        require_money(planned, yes=yes, max_cost=max_cost, simulate=simulate)
        options = RunOptions(
            outputs=given_outputs(output_dir),
            simulate=simulate,
            fresh=fresh,
            concurrency=concurrency,
            arguments=tuple(sys.argv[1:]),
            wait=wait,
            max_cost=max_cost,
        )
        return run_all(planned, options, quiet=quiet, output=output, log_file=log_file)


def require_money(planned: list[PlannedJob], *, yes: bool, max_cost: float | None, simulate: bool) -> None:
    """Raises SpecError when `--max-cost` is no wall, or when nobody confirms what the spec wants confirmed."""
    if max_cost is not None:
        from runner.spending import flag_problems

        found = list(flag_problems(planned, max_cost))
        if errors := [problem for problem in found if problem.is_error]:
            raise SpecError.of(errors)
        warn(found)
    if not simulate:
        from runner.cli.confirm import confirm

        confirm(planned, yes=yes, max_cost=max_cost)


def run_all(planned: list[PlannedJob], options: RunOptions, *, quiet: bool, output: str, log_file: Path | None) -> int:
    """Run the jobs on an event loop of their own; the exit code of several is the first that applies."""
    import asyncio

    from runner.ends import first_that_applies

    return first_that_applies(asyncio.run(send_all(planned, options, quiet=quiet, output=output, log_file=log_file)))


async def send_all(
    planned: list[PlannedJob], options: RunOptions, *, quiet: bool, output: str, log_file: Path | None
) -> list[int]:
    from runner.cli.log_file import LogFile
    from runner.cli.progress import Shown
    from runner.cli.signals import stopping_on_signals
    from runner.engine.live import Stop
    from runner.pipeline import run_jobs
    from runner.sitting import World
    from runner.telemetry import tracing

    stop, shown, codes = Stop(), Shown(quiet), []
    with ExitStack() as stack:
        log = stack.enter_context(LogFile(log_file)) if log_file else None
        around = stack.enter_context(tracing(os.environ, lambda problem: warn([problem])))
        grace = max(one.job.run.grace for one in planned)
        stack.enter_context(stopping_on_signals(stop, shown.say, grace=grace))
        watch = shown.start if log is None else both(shown.start, log.start)
        async for finished in run_jobs(planned, options, stop, World(observer=watch, around=around, say=shown.say)):
            shown.end(finished.summary.job)
            if log is not None:
                log.end(finished)
            codes.append(finished.exit_code)
            tell(finished, options, quiet=quiet, output=output)
    return codes


def both(first: Watch, second: Watch) -> Watch:
    """Two observers of each job."""
    from runner.sitting import listening

    return lambda started: listening(first(started), second(started))


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
    elif cause or summary.limit:
        say(cause_text(summary, cause))


def again(arguments: tuple[str, ...]) -> str:
    """The command that goes on with this run: as typed, without the `--fresh` that would start over and pay twice."""
    return shlex.join(["promptrun", *(word for word in arguments if word != "--fresh")])


def elsewhere(finished: Finished) -> str:
    """The outputs folder, unless `promptrun show` typed here would look there by itself."""
    outputs = finished.outputs.resolve()
    return "" if outputs == outputs_here(None).resolve() else str(outputs)
