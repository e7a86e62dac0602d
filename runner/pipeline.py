"""The whole program as one list of steps: load, plan, send, write down, sum up.

Every layer is called from here. Nothing here prints, reads argv or exits; environment, clock, randomness and
observers come in as arguments (`World`), so that a test runs a whole job without patching anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from runner.connection import Address, Connection, simulator_when_asked
from runner.ends import checked, end_of, exit_code
from runner.errors import Interrupted, Position, Problem, PromptrunError, SpecError
from runner.planning import PlannedJob, a_few_at_once
from runner.prompts.params import secrets_of
from runner.records import Event, Request
from runner.side_by_side import ANOTHER_JOB, SharedPaces, side_by_side
from runner.sitting import (
    Finished,
    RunOptions,
    Started,
    World,
    job_folder,
    listening,
    manifest,
    outputs_of,
    shard_json,
)
from runner.spending import budget_for, shared_budget, spent_already

if TYPE_CHECKING:
    from runner.engine.budget import Budget
    from runner.engine.clock import Clock
    from runner.engine.live import Ended, Stop
    from runner.engine.paces import Paces
    from runner.retrying import Retry
    from runner.store import RunWriter

WORTH_KEEPING = 20_000
"""Requests; planning fewer takes a second."""


async def run_jobs(
    planned: Sequence[PlannedJob], options: RunOptions, stop: Stop, world: World
) -> AsyncIterator[Finished]:
    """Send the jobs side by side and yield how each ended, in their order; one that cannot go on stops the others."""
    if not options.simulate:
        require_secrets(planned, world.env)
    shared, paces = shared_budget(options.max_cost), SharedPaces()
    async with simulator_when_asked(options.simulate) as server:
        jobs = []
        for one in planned:
            running = partial(run_job, one, options, stop, world, server, shared, paces)
            jobs.append(partial(once_nobody_runs_it, one, options, stop, world, running))
        async for finished in side_by_side(jobs, ends_all=lambda finished: finished.ended.cause is not None, stop=stop):
            yield finished


def require_secrets(planned: Sequence[PlannedJob], env: Mapping[str, str]) -> None:
    """Raises SpecError when the environment lacks a token of `mcp_servers`; planning and simulating need none."""
    from runner.claude.secrets import missing_secrets

    problems = []
    for job in (one.job for one in planned):
        names = [name for cell in job.cells for name in secrets_of(cell.fields).values()]
        problems += missing_secrets(names, env, Position(str(job.path)))
        headers = job.client.header_variables.values()
        problems += missing_secrets(headers, env, Position(str(job.path)), needed_by="client.headers")
    if problems:
        raise SpecError.of(problems)


@asynccontextmanager
async def simulator_if(wanted: bool) -> AsyncIterator[str | None]:
    """The address of a simulator that lives as long as the context, or None when the real API is asked."""
    async with simulator_when_asked(wanted) as address:
        yield await address()


async def run_job(
    one: PlannedJob,
    options: RunOptions,
    stop: Stop,
    world: World,
    server: str | Address | None = None,
    shared: Budget | None = None,
    paces: SharedPaces | None = None,
) -> Finished:
    """One sitting of one job: take what is known, send what has no answer yet, write down how it ended.

    When something has to be sent the client comes first: without credentials nothing is written and nothing is sent.
    A run that goes on without money left for what it has to send opens none. shared: a budget of all jobs together;
    paces: their paces.
    """
    from runner.engine.clock import RealClock
    from runner.prompts.cache_audit import CacheAudit
    from runner.reusing import answer_known, earlier_answers
    from runner.store.kept_plan import forget_plan

    clock, audit = RealClock(), CacheAudit(manual=one.job.cache.mode == "manual")
    concurrency = options.concurrency or one.job.run.concurrency
    paced = (paces or SharedPaces()).of(one.options.service, one.job.run, concurrency)
    opening, but = run_to_write(one, options, clock)
    with earlier_answers(one, options, now=clock.utc(), but=but) as known:
        async with Connection(one, concurrency=concurrency or paced.most, env=world.env, address=server) as connection:
            if but is None and not known.is_all():
                await connection.open()
            with opening() as run:
                keep_plan(one, run)
                with summed_up(run), world.around(one.job.name):
                    sends = taken_over(one, run, options.retry)
                    await answer_known(one, run, known, stop)
                    budget = budget_for(one, run.spent(), shared)
                    started = Started(one, run.answered_count, run.run_id, run.folder, run.resume())
                    sending = Sending(one, run, clock, stop, world, paced, concurrency, budget)
                    observe = listening(world.observer(started), audit.observe)
                    ended = await sending.send(skipping(one, run, sends), connection, observe)
                    answer_identical(one, run)
                summary = run.finish(
                    end=end_of(ended),
                    cache_audit=[finding.to_json() for finding in audit.findings()],
                    limit=ended.limit.to_json() if ended.limit else None,
                    max_cost=budget.cap,
                    pace=ended.paces,
                )
                if summary.finished:
                    forget_plan(run.folder)
    summary = replace(checked(summary, one.job.checks), max_cost_usd=budget.cap, limit=ended.limit)
    return Finished(summary, ended, exit_code(summary, ended), outputs_of(one.job, options.outputs))


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


@dataclass(frozen=True)
class Sending:
    """The step that costs money. concurrency: the most in flight, None to find out. paces: what the account allows."""

    one: PlannedJob
    run: RunWriter
    clock: Clock
    stop: Stop
    world: World
    paces: Paces
    concurrency: int | None
    budget: Budget

    async def send(
        self, skip: Callable[[int], bool], connection: Connection, observe: Callable[[Event], None]
    ) -> Ended:
        """Everything but what is skipped, each with its result on disk."""
        from runner.engine.heap import settled_heap
        from runner.engine.live import run_live
        from runner.prompts.follow import follow
        from runner.prompts.judge import judge
        from runner.reusing import leaves_some

        job, settings = self.one.job, self.one.job.run
        if leaves_some(self.one, skip) and not self.stop.reason and not spent_already(self.one, self.budget):
            try:
                await connection.open()
            except PromptrunError:
                self.run.withdraw()
                raise
        with settled_heap():
            return await run_live(
                waiting(self.one, skip),
                send=connection.sender(self.run),
                sink=self.run,
                concurrency=self.concurrency,
                retry=settings.retry,
                clock=self.clock,
                rng=self.world.rng,
                stop=self.stop,
                observe=observe,
                follow=follow,
                judge=judge,
                replies_of=self.run.replies_of,
                diagnose=job.cache.diagnose,
                prices=job.prices,
                budget=self.budget,
                paces=self.paces,
                deadline=settings.deadline,
                grace=settings.grace,
                warm_up=job.cache.warm_up,
            )


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

        kept_plan.keep_plan(run.folder, one.save)


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


def taken_over(one: PlannedJob, run: RunWriter, retry: Retry | None) -> bytearray | None:
    """Of a retry, 1 for each request to send, once the results that stay are written down; else None: all."""
    if retry is None:
        return None
    from runner.retrying import take_over

    return take_over(one, run, retry)


def skipping(one: PlannedJob, run: RunWriter, sends: bytearray | None = None) -> Callable[[int], bool]:
    """Which requests not to send: those with an answer, and of identical ones all but the first. sends: of a retry."""

    def skip(n: int) -> bool:
        return run.answered(n) or (sends is not None and not sends[n]) or one.ledger.first_of(n) is not None

    return skip


def waiting(one: PlannedJob, skip: Callable[[int], bool]) -> Iterator[Request]:
    """The requests to send now. Where there are none, the inputs are not read for it."""
    return iter(()) if all(map(skip, range(one.plan.requests))) else a_few_at_once(one.requests(skip))


def answer_identical(one: PlannedJob, run: RunWriter) -> None:
    """Requests equal to an earlier one get its answer, none of them is sent. Read once more, for their own rows."""
    if not one.plan.identical:
        return
    for request in one.requests(lambda n: run.answered(n) or one.ledger.first_of(n) is None):
        if (first := one.ledger.first_of(request.n)) is not None:
            run.write_identical(request, first)
