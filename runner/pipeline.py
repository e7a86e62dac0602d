"""The whole program as one list of steps: load, plan, send, write down, sum up.

Every layer is called from here. Nothing here prints, reads argv or exits; environment, clock, randomness and
observers come in as arguments (`World`), so that a test runs a whole job without patching anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from runner.choosing import answer_identical, nothing_waits, skipping, taken_over, to_send, waiting
from runner.connection import Address, Connection, simulator_when_asked
from runner.ends import checked, end_of, exit_code
from runner.errors import AccountError, OutputError, Position, PromptrunError, SpecError, TryLater
from runner.planning import PlannedJob
from runner.prompts.params import secrets_of
from runner.records import Event
from runner.run_folder import keep_plan, once_nobody_runs_it, run_to_write, summed_up
from runner.side_by_side import SharedPaces, side_by_side
from runner.sitting import (
    Finished,
    RunOptions,
    Started,
    World,
    listening,
    outputs_of,
)
from runner.spending import budget_for, shared_budget, spent_already

if TYPE_CHECKING:
    from runner.engine.budget import Budget
    from runner.engine.clock import Clock
    from runner.engine.live import Ended, Stop
    from runner.engine.paces import Paces
    from runner.store import RunWriter


async def run_jobs(
    planned: Sequence[PlannedJob], options: RunOptions, stop: Stop, world: World
) -> AsyncIterator[Finished | PromptrunError]:
    """Send the jobs side by side and yield how each ended, or what kept it from it, in their order."""
    if not options.simulate:
        require_secrets(planned, world.env)
    shared, paces = shared_budget(options.max_cost), SharedPaces()
    async with simulator_when_asked(options.simulate) as server:
        jobs = []
        for one in planned:
            running = partial(run_job, one, options, stop, world, server, shared, paces)
            job = partial(once_nobody_runs_it, one, options, stop, world, running)
            jobs.append(partial(said_at_once, job, world) if len(planned) > 1 else job)
        async for ended in side_by_side(jobs, ends_all=ends_all, stop=stop):
            yield ended


async def said_at_once(job: Callable[[], Awaitable[Finished | None]], world: World) -> Finished | None:
    """What the job gives. What keeps it from going on is said now, too: its turn to be told of may come hours later."""
    try:
        return await job()
    except (SpecError, TryLater) as error:
        world.say(f"{error.problems[0].what}; the other jobs go on")
        raise


def ends_all(ended: Finished | PromptrunError) -> bool:
    """Whether the other jobs cannot go on either: the account refused, or outputs cannot be written."""
    if isinstance(ended, PromptrunError):
        return isinstance(ended, AccountError | OutputError)
    return ended.ended.failure is not None


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
                    await answer_known(one, run, known, stop, world.reusing)
                    run.add_notes(known.notes)
                    budget = budget_for(one, run.spent(), shared)
                    skip = skipping(one, run, sends)
                    resume = run.resume(*to_send(one, run, skip)) if run.continued else None
                    started = Started(one, run.answered_count, run.run_id, run.folder, resume)
                    sending = Sending(one, run, clock, stop, world, paced, concurrency, budget)
                    observe = listening(world.observer(started), audit.observe)
                    ended = await sending.send(skip, connection, observe)
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
                else:
                    left = to_send(one, run, skip)
                    summary = replace(summary, to_send=left.requests, failed_to_send=left.failed)
    summary = replace(checked(summary, one.job.checks), max_cost_usd=budget.cap, limit=ended.limit)
    return Finished(summary, ended, exit_code(summary, ended), outputs_of(one.job, options.outputs))


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
        if nothing_waits(self.one, skip) and not self.stop.reason:
            from runner.engine.ended import Ended

            return Ended()  # nothing that sends is even loaded
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
                models=[each.model for each in self.one.plan.models],
            )
