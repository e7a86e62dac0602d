"""The run that a sitting writes to: waited for, opened, its plan kept beside it, and ended when its inputs change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from runner.errors import Interrupted, Problem, SpecError
from runner.planning import PlannedJob
from runner.side_by_side import ANOTHER_JOB
from runner.sitting import Finished, RunOptions, World, job_folder, manifest, shard_json

if TYPE_CHECKING:
    from runner.engine.clock import Clock
    from runner.engine.live import Stop
    from runner.store import RunWriter

WORTH_KEEPING = 20_000
"""Requests; planning fewer takes a second."""


def run_to_write(one: PlannedJob, options: RunOptions, clock: Clock) -> tuple[Callable[[], RunWriter], str | None]:
    """How to open the run that this sitting writes to, and its id when it goes on with one."""
    from runner.store import open_run
    from runner.store.history import unfinished_run

    folder, written = job_folder(one.job, options.outputs, simulate=options.simulate), manifest(one, options)
    going_on = None if options.starts_anew else unfinished_run(folder, one.plan.hash, written)
    settings = one.job.run
    opening = partial(
        open_run,
        folder,
        manifest=written,
        plan=one.plan,
        fresh=options.fresh,
        clock=clock,
        prices=one.job.prices,
        keep=settings.keep,
        strict=settings.durability == "strict",
    )
    return opening, going_on["run"] if going_on else None


async def once_nobody_runs_it(
    one: PlannedJob, options: RunOptions, stop: Stop, world: World, running: Callable[[], Awaitable[Finished]]
) -> Finished | None:
    """What `running` gives; with `--wait`, once nobody else runs the job, so that it sees what they answered.

    None when another job of the command ended the waiting.
    """
    from runner.engine.clock import RealClock
    from runner.store.lock import Held, require_free
    from runner.store.waiting import once_free

    folder = job_folder(one.job, options.outputs, simulate=options.simulate)
    free = partial(require_free, folder, shard_json(one.options.selection))
    while options.wait:
        try:
            await once_free(free, sleep=RealClock().sleep, stopped=lambda: stop.reason, say=world.say)
        except Interrupted:
            if stop.reason == ANOTHER_JOB:
                return None
            raise
        with suppress(Held):  # somebody was quicker
            return await running()
    return await running()


def keep_plan(one: PlannedJob, run: RunWriter) -> None:
    """A plan that takes long is kept in the run's folder, so that going on with the run does not take as long."""
    if one.plan.requests >= WORTH_KEEPING and one.kept_at is None:
        from runner.store import kept_plan

        if kept_plan.keep_plan(run.folder, one.save):
            what = "was of another version of promptrun or damaged, or the inputs were touched"
            run.add_notes([f"{kept_plan.NAME} {what}: everything was planned anew"])


@contextmanager
def summed_up(run: RunWriter) -> Iterator[None]:
    """Inputs that change under a run end it like any other cause: with its files written, and a word on where."""
    try:
        yield
    except SpecError as error:
        summary = run.finish(end="source_changed")
        what = f"the run ended with {summary.results:,} of {summary.total:,} requests answered"
        kept = f"They are kept in {summary.folder}; other inputs make another plan, and that starts a new run."
        raise SpecError.of([*error.problems, Problem("source-changed", what, next=kept)]) from error
