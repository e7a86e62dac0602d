"""`promptrun run`: validate, plan and run specs."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from runner.cli.again import Again, of_run
from runner.cli.options import (
    Chosen,
    Flags,
    given_outputs,
    outputs_here,
    reading_specs,
    selection,
    sending,
    service,
)
from runner.cli.streams import put, say
from runner.cli.telling import all_warnings, tell_where, warn, warn_of_log
from runner.errors import OutputError, Problem, PromptrunError, SpecError

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
def command(chosen: Chosen, simulate: bool, fresh: bool, flags: Flags) -> int:
    """Validate, plan and run specs; results go to outputs/.

    Nothing is sent before every spec and every row is known to be right. A run that was interrupted goes on
    when the same command is typed again. stdout gets one run folder a line, stderr the summary.
    """
    from runner.cli.changes import before_sending
    from runner.sitting import RunOptions, job_folder, plans_of_runs

    outputs = given_outputs(flags.output_dir)
    kept = plans_of_runs(outputs, simulate=simulate)
    with reading_specs(chosen, service=service(simulate, chosen.allow_hosts), kept=kept) as planned:
        for place, one in enumerate(planned):
            warn(all_warnings(one))
            if not simulate:
                tell_where(one.job.client)
            folder = job_folder(one.job, outputs, simulate=simulate)
            planned[place], changes = before_sending(one, folder, simulate=simulate, fresh=fresh)
            for line in () if flags.quiet else changes.splitlines():
                say(f"{one.job.name}: {line}")
        warn_of_log(os.environ)
        require_money(planned, yes=flags.yes, max_cost=flags.max_cost, simulate=simulate)
        options = RunOptions(
            outputs=outputs,
            simulate=simulate,
            fresh=fresh,
            concurrency=flags.concurrency,
            arguments=tuple(sys.argv[1:]),
            wait=flags.wait,
            max_cost=flags.max_cost,
        )
        again = of_run(chosen, flags, simulate=simulate, piped=planned[0].stdin.used)
        return run_all(planned, options, flags, again)


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


def run_all(planned: list[PlannedJob], options: RunOptions, flags: Flags, again: Again) -> int:
    """Run the jobs on an event loop of their own; the exit code of several is the first that applies."""
    import asyncio

    from runner.ends import first_that_applies

    return first_that_applies(asyncio.run(send_all(planned, options, flags, again)))


async def send_all(planned: list[PlannedJob], options: RunOptions, flags: Flags, again: Again) -> list[int]:
    from runner.cli.exits import told
    from runner.cli.log_file import LogFile
    from runner.cli.progress import Shown
    from runner.cli.signals import stopping_on_signals
    from runner.engine.stop import Stop
    from runner.pipeline import run_jobs
    from runner.sitting import World
    from runner.telemetry import tracing

    stop, shown, codes = Stop(), Shown(flags.quiet), []
    with ExitStack() as stack:
        log = stack.enter_context(LogFile(flags.log_file)) if flags.log_file else None
        around = stack.enter_context(tracing(os.environ, lambda problem: warn([problem])))
        grace = max(one.job.run.grace for one in planned)
        stack.enter_context(stopping_on_signals(stop, shown.say, grace=grace))
        watch = shown.start if log is None else both(shown.start, log.start)
        world = World(observer=watch, around=around, say=shown.say, reusing=shown.reusing)
        async for ended in run_jobs(planned, options, stop, world):
            if isinstance(ended, PromptrunError):
                codes.append(told(going_on(ended, options, again.line(planned[0]))))
                continue
            shown.end(ended.summary.job)
            if log is not None:
                log.end(ended)
            codes.append(ended.exit_code)
            one = next(one for one in planned if one.job.name == ended.summary.job)
            tell(ended, flags, again.line(one, ended.ended.limit))
    return codes


def going_on(error: PromptrunError, options: RunOptions, again: str) -> PromptrunError:
    """The error, with what to type where "the same command" would start over. again: as `Again.line` gives it."""
    if isinstance(error, OutputError) and options.fresh:
        error.problems += (Problem("again", f"to go on with what is kept: {again}"),)
    return error


def both(first: Watch, second: Watch) -> Watch:
    """Two observers of each job."""
    from runner.sitting import listening

    return lambda started: listening(first(started), second(started))


def tell(finished: Finished, flags: Flags, again: str) -> None:
    """The summary, or at least how an unfinished run goes on, to stderr; the run's folder or its JSON object to stdout.

    In this order: a stdout that cannot be written must not keep the words back.
    again: as `Again.line` gives it.
    """
    from runner.report.text import cause_text, summary_text
    from runner.store.files import to_json

    summary, cause = finished.summary, finished.ended.cause
    if not flags.quiet:
        say(summary_text(summary, cause, command=again, elsewhere=elsewhere(finished)))
    elif cause or summary.limit or not summary.finished:
        say(cause_text(summary, cause, command=again))
    if flags.output == "json":
        failure = cause.to_json() if cause else None
        put(to_json(summary.to_json() | {"failure": failure, "exit_code": finished.exit_code}))
    else:
        put(summary.folder)


def elsewhere(finished: Finished) -> str:
    """The outputs folder, unless `promptrun show` typed here would look there by itself."""
    outputs = finished.outputs.resolve()
    return "" if outputs == outputs_here(None).resolve() else str(outputs)
