"""The whole program as one list of steps: load, plan, send, write down, sum up.

Every layer is called from here. Nothing here prints, reads argv or exits; environment, clock, randomness and
observers come in as arguments (`World`), so that a test runs a whole job without patching anything.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from runner.claude.origin import service_of
from runner.errors import AccountError, Position, Problem, SpecError, TryLater
from runner.inputs import Selection, Stamps, Stdin, read_rows
from runner.prompts.build import RequestBuilder
from runner.prompts.cache_advice import with_cache
from runner.prompts.params import secrets_of
from runner.prompts.plan import PlanLedger
from runner.records import Event, Plan, Request
from runner.spec.job import JobSpec
from runner.spec.load import LoadOptions, load_job

if TYPE_CHECKING:
    from runner.engine.live import Ended, Stop
    from runner.models.summary import Summary
    from runner.store import RunWriter

SERVICE = "anthropic"
SIMULATED_LATENCY = 0.05
SIMULATOR_KEY = "simulated"


# ---------------------------------------------------------------- plan


@dataclass(frozen=True)
class PlanOptions:
    """What is chosen before anything is read. service: whom the answers come from; part of every key."""

    load: LoadOptions = field(default_factory=LoadOptions)
    selection: Selection = field(default_factory=Selection)
    service: str = SERVICE


@dataclass(frozen=True)
class PlannedJob:
    """A job whose every request has been rendered once. Its requests can be had again, in the same order."""

    job: JobSpec
    plan: Plan
    ledger: PlanLedger
    options: PlanOptions
    stdin: Stdin
    stamps: Stamps

    def requests(self) -> Iterator[Request]:
        """The requests of the plan once more; raises SpecError when they are no longer what was planned."""
        for request, key in zip_longest(self._rendered(), self.ledger.keys()):
            if request is None or key is None or request.key != key:
                raise changed_since_planning(self.job, request)
            yield request

    def _rendered(self) -> Iterator[Request]:
        rows = read_rows(self.job, self.options.selection, stdin=self.stdin, stamps=self.stamps)
        builder = RequestBuilder(self.job, service=self.options.service, choose=self.ledger.prefixes.choose)
        return builder.requests(rows)


def changed_since_planning(job: JobSpec, request: Request | None) -> SpecError:
    place = f" at row `{request.id}` ({request.source})" if request else ""
    return SpecError(
        f"the inputs of `{job.name}` changed between planning and sending{place}",
        next="Let whatever writes them finish, then run again.",
        rule="source-changed",
    )


@contextmanager
def plan_job(
    spec: Path, options: PlanOptions, *, env: Mapping[str, str], stdin: Stdin | BinaryIO
) -> Iterator[PlannedJob]:
    """Load one spec and render all its requests. Raises SpecError with every problem found."""
    job = load_job(spec, options.load, env=env)
    options = replace(options, service=service_of(job.client, options.service, env))
    spool = stdin if isinstance(stdin, Stdin) else Stdin(stdin)
    stamps = Stamps()
    ledger = PlanLedger()
    try:
        rows = read_rows(job, options.selection, stdin=spool, stamps=stamps)
        requests = RequestBuilder(job, service=options.service).requests(rows)
        plan = ledger.add(
            requests, cells=len(job.cells), repeat=job.repeat, ttl=job.cache.ttl, concurrency=job.run.concurrency
        )
        plan = with_cache(plan, job, ledger.prefixes)
        errors = [problem for problem in plan.problems if problem.is_error]
        if errors:
            raise SpecError.of(errors)
        yield PlannedJob(job, plan, ledger, options, spool, stamps)
    finally:
        ledger.close()
        if spool is not stdin:
            spool.close()


@contextmanager
def plan_jobs(
    specs: Sequence[Path], options: PlanOptions, *, env: Mapping[str, str], stdin: BinaryIO
) -> Iterator[list[PlannedJob]]:
    """Plan every spec before anything is sent: one bad spec sends nothing, and all their problems come together."""
    planned: list[PlannedJob] = []
    problems: list[Problem] = []
    with ExitStack() as stack:
        spool = Stdin(stdin)
        stack.callback(spool.close)
        for spec in specs:
            try:
                planned.append(stack.enter_context(plan_job(spec, options, env=env, stdin=spool)))
            except SpecError as error:
                problems += error.problems
        problems += same_names(planned)
        if problems:
            raise SpecError.of(problems)
        yield planned


def same_names(planned: Sequence[PlannedJob]) -> list[Problem]:
    """Two specs with one name would write into one folder."""
    first: dict[str, Path] = {}
    problems = []
    for job in (one.job for one in planned):
        other = first.setdefault(job.name, job.path)
        if other is not job.path:
            what = f"`{other}` and `{job.path}` are both named `{job.name}`"
            problems.append(
                Problem("same-name", what, Position(str(job.path)), "name", "Give one of them another `name:`.")
            )
    return problems


# ---------------------------------------------------------------- run


def no_observer(planned: PlannedJob, answered: int) -> Callable[[Event], None]:
    return lambda event: None


@dataclass(frozen=True)
class RunOptions:
    """How planned jobs are sent. outputs: where the results go; None: outputs/ at the root of each job's project.

    arguments: as typed, for run.json.
    """

    outputs: Path | None = None
    simulate: bool = False
    fresh: bool = False
    concurrency: int | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """What a run happens in. observer: called when a job starts, with how many of its requests have an answer."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    observer: Callable[[PlannedJob, int], Callable[[Event], None]] = no_observer
    rng: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True)
class Finished:
    """How one job's sitting ended: what is on disk below `outputs`, why it ended, the exit code that asks for."""

    summary: Summary
    ended: Ended
    exit_code: int
    outputs: Path


async def run_jobs(
    planned: Sequence[PlannedJob], options: RunOptions, stop: Stop, world: World
) -> AsyncIterator[Finished]:
    """Send the jobs one after the other and yield how each ended; one that could not go on is the last."""
    if not options.simulate:
        require_secrets(planned, world.env)
    async with simulator_if(options.simulate) as server:
        for one in planned:
            finished = await run_job(one, options, stop, world, server)
            yield finished
            if stop.reason or finished.ended.cause:
                return


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
    """The address of a simulator that lives as long as the run, or None when the real API is asked."""
    if not wanted:
        yield None
        return
    from runner.simulator import Simulator, SimulatorConfig

    async with Simulator(SimulatorConfig(latency=SIMULATED_LATENCY)) as simulator:
        yield simulator.url


async def run_job(
    one: PlannedJob, options: RunOptions, stop: Stop, world: World, server: str | None = None
) -> Finished:
    """One sitting of one job: open client and run, send what has no answer yet, write down how it ended.

    The client comes first: without credentials nothing is written and nothing is sent.
    """
    from runner.claude.client import open_client
    from runner.claude.uploads import FileSender
    from runner.engine.clock import RealClock
    from runner.engine.live import run_live
    from runner.prompts.cache_audit import CacheAudit
    from runner.prompts.follow import follow
    from runner.prompts.judge import judge
    from runner.prompts.media_body import whole_body
    from runner.store import open_run

    settings = one.job.run
    concurrency = options.concurrency or settings.concurrency
    client_options: dict[str, Any] = {"client": one.job.client}
    if server:
        client_options = {"base_url": server, "api_key": SIMULATOR_KEY, "tokens": {}}
    async with open_client(
        timeout=settings.request_timeout,
        stream=settings.stream,
        concurrency=concurrency,
        env=world.env,
        **client_options,
    ) as client:
        clock = RealClock()
        audit = CacheAudit(manual=one.job.cache.mode == "manual")
        with open_run(
            job_folder(one.job, options.outputs, simulate=options.simulate),
            manifest=manifest(one, options),
            plan=one.plan,
            fresh=options.fresh,
            clock=clock,
            prices=one.job.prices,
        ) as run:
            with summed_up(run):
                ended = await run_live(
                    waiting(one, run),
                    send=FileSender(client, whole_body, run.file_ids(), run.uploaded).send,
                    sink=run,
                    concurrency=concurrency,
                    retry=settings.retry,
                    clock=clock,
                    rng=world.rng,
                    stop=stop,
                    observe=listening(world.observer(one, run.answered_count), audit.observe),
                    follow=follow,
                    judge=judge,
                    replies_of=run.replies_of,
                    diagnose=one.job.cache.diagnose,
                    prices=one.job.prices,
                )
                answer_identical(one, run)
            findings = [finding.to_json() for finding in audit.findings()]
            summary = run.finish(end=end_of(ended), cache_audit=findings)
    return Finished(summary, ended, exit_code(summary, ended), outputs_of(one.job, options.outputs))


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


def outputs_of(job: JobSpec, given: Path | None) -> Path:
    return given or job.root / "outputs"


def job_folder(job: JobSpec, given: Path | None, *, simulate: bool = False) -> Path:
    """The folder of a job's runs. given: `--output-dir`. Simulated runs live apart."""
    outputs = outputs_of(job, given)
    return (outputs / "simulated" if simulate else outputs) / job.name


def listening(*observers: Callable[[Event], None]) -> Callable[[Event], None]:
    """One observer that tells them all."""

    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe


def manifest(one: PlannedJob, options: RunOptions) -> Mapping[str, object]:
    from runner.store import describe_run

    selection = one.options.selection
    return describe_run(
        job=one.job.name,
        spec=one.job.path,
        root=one.job.root,
        files=[*one.job.files, *one.job.templates.files, *data_files(one.job)],
        arguments=options.arguments,
        simulated=options.simulate,
        limited=bool(selection.only or selection.limit),
    )


def data_files(job: JobSpec) -> list[Path]:
    """The input files a spec names one by one; what a glob finds is in the results' `source`."""
    named = [source for source in job.inputs if source.kind == "file" and source.path != "-"]
    return [job.confine.resolve(source.path, base=source.base) for source in named]


def waiting(one: PlannedJob, run: RunWriter) -> Iterator[Request]:
    """The requests to send now: those without an answer, and of identical ones the first."""
    for request in one.requests():
        if not run.answered(request.n) and one.ledger.first_of(request.n) is None:
            yield request


def answer_identical(one: PlannedJob, run: RunWriter) -> None:
    """Requests equal to an earlier one get its answer, none of them is sent. Read once more, for their own rows."""
    if not one.plan.identical:
        return
    for request in one.requests():
        first = one.ledger.first_of(request.n)
        if first is not None and not run.answered(request.n):
            run.write_reused(request, first)


def end_of(ended: Ended) -> str:
    """Why a sitting ended, in one word."""
    if ended.stopped:
        return ended.stopped
    return ended.cause.kind if ended.cause else "complete"


def exit_code(summary: Summary, ended: Ended) -> int:
    """The first that applies of 143, 130, 4, 75, 1 and 0 (docs/exit-codes.md)."""
    if ended.stopped:
        return 143 if ended.stopped == "terminated" else 130
    if ended.failure:
        return AccountError.exit_code
    only_transient = summary.total - summary.good == summary.transient + summary.left
    if ended.gave_up or (only_transient and not summary.all_good):
        return TryLater.exit_code
    return 0 if summary.all_good else 1


def first_that_applies(codes: Sequence[int]) -> int:
    """The exit code of several jobs."""
    return next((code for code in (70, 143, 130, 4, 74, 75, 3, 1) if code in codes), 0)
