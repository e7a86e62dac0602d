"""Load specs and render all their requests once: what a run would send, known before anything is sent.

A plan that an earlier process kept is taken up when everything it was made from is still the same (`inputs.made_from`).
Sends nothing; writes nothing under outputs/ but the copy of a plan that it is asked for, where it is told to.
Environment and stdin are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from runner.claude.origin import origin_of, service_of
from runner.errors import Position, Problem, SpecError
from runner.inputs import Selection, Stamps, Stdin, read_rows
from runner.inputs.made_from import ReadEnvironment, chosen_digest, made_from, still_holds
from runner.prompts.build import RequestBuilder
from runner.prompts.cache_advice import cache_plan, with_cache
from runner.prompts.plan import PlanLedger
from runner.prompts.plan_file import Unusable, read_notes
from runner.records import Plan, Request, Row
from runner.spec.job import USUAL_CONCURRENCY, JobSpec
from runner.spec.load import LoadOptions, load_job

if TYPE_CHECKING:
    from runner.models.estimate import PlanCost

SERVICE = "anthropic"


def service_asked(env: Mapping[str, str], allow_hosts: Sequence[str] = (), *, simulate: bool = False) -> str:
    """Whom the answers come from, as keys see it: the API, or the server that ANTHROPIC_BASE_URL names."""
    origin = None if simulate else origin_of(env, allow_hosts)
    return f"{SERVICE} {origin}" if origin else SERVICE


@dataclass(frozen=True)
class PlanOptions:
    """What is chosen before anything is read. service: whom the answers come from; part of every key.

    kept: the files of plans that earlier processes kept of a job, the newest first.
    """

    load: LoadOptions = field(default_factory=LoadOptions)
    selection: Selection = field(default_factory=Selection)
    service: str = SERVICE
    kept: Callable[[JobSpec], Iterable[Path]] = field(default=lambda job: (), repr=False)


@dataclass(frozen=True)
class PlannedJob:
    """A job whose every request has been rendered once. Its requests can be had again, in the same order.

    chosen: a digest of what the command line and the environment chose. kept_at: the file that the plan was read from.
    """

    job: JobSpec
    plan: Plan
    ledger: PlanLedger
    options: PlanOptions
    stdin: Stdin
    stamps: Stamps
    chosen: str = ""
    kept_at: Path | None = None

    def requests(self, skip: Callable[[int], bool] | None = None) -> Iterator[Request]:
        """The requests of the plan once more; raises SpecError when they are no longer what was planned.

        skip: by number, those that are not wanted; where it can be, they are not even rendered.
        """
        for request, key in zip_longest(self._rendered(skip), self.ledger.keys(), fillvalue=_MISSING):
            if request is None and key is not _MISSING:
                continue
            if not isinstance(request, Request) or request.key != key:
                self._forget()
                raise changed_since_planning(self.job, request if isinstance(request, Request) else None)
            if skip is None or not skip(request.n):
                yield request

    def _rendered(self, skip: Callable[[int], bool] | None) -> Iterator[Request | None]:
        builder = RequestBuilder(self.job, service=self.options.service, choose=self.ledger.prefixes.choose)
        return builder.wanted(self._rows(), skip) if skip else builder.requests(self._rows())

    def _rows(self) -> Iterator[Row]:
        """As many as were planned, whatever is appended to a file while it is read: nobody knows numbers beyond."""
        rows = read_rows(self.job, self.options.selection, stdin=self.stdin, stamps=self.stamps)
        yield from islice(rows, self.plan.rows)
        if next(rows, None) is not None:
            self._forget()
            raise changed_since_planning(self.job, None)

    def without(self, numbers: Iterable[int]) -> PlannedJob:
        """The same job when these requests are not sent, since they have an answer: its cost and cache are the rest's.

        The hash and the counts stay those of the whole plan.
        """
        models = self.ledger.leave_out(numbers)
        return replace(
            self, plan=replace(self.plan, models=models, cache=cache_plan(self.job.cache, self.ledger.prefixes))
        )

    def cost(self) -> PlanCost:
        """What the plan may cost. Loads the price list, which takes a quarter of a second."""
        from runner.prompts.plan_cost import plan_cost

        return plan_cost(self.ledger, self.job)

    def save(self, path: Path) -> bool:
        """Keep the plan for the next process; False when that would not know whether it still holds.

        Raises OSError and sqlite3.Error.
        """
        source = made_from(self.job, self.chosen, self.stdin, self.ledger.attached)
        if source is not None:
            self.ledger.save(path, self.plan, {"made_from": source.to_json()})
        return source is not None

    def _forget(self) -> None:
        """A kept plan that does not give the same requests must not stop the next run as well."""
        if self.kept_at is not None:
            self.kept_at.unlink(missing_ok=True)


_MISSING: Final = object()
AT_ONCE: Final = 16
AT_ONCE_BYTES: Final = 1_000_000


def a_few_at_once(requests: Iterator[Request]) -> Iterator[Request]:
    """The same requests, read ahead by up to `AT_ONCE`, for who takes them one by one between other work.

    What comes before an error is given out before it is raised. Rendering one at a time between replies takes twice
    the CPU of rendering several in a row, since by then the processor's caches hold something else.
    """
    several: list[Request] = []
    size = 0
    try:
        for request in requests:
            several.append(request)
            size += len(request.body)
            if len(several) == AT_ONCE or size > AT_ONCE_BYTES:
                yield from several
                several, size = [], 0
    except SpecError:
        yield from several
        raise
    yield from several


def capped(plan: Plan, job: JobSpec, ledger: PlanLedger) -> Plan:
    """The plan, with what is wrong with the job's cap. Other jobs do not load what knows of prices: start-up counts."""
    if job.run.max_cost is None:
        return plan
    from runner.prompts.cap import with_cap

    return with_cap(plan, job, ledger)


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
    read = ReadEnvironment(env)
    job = load_job(spec, options.load, env=read)
    options = replace(options, service=service_of(job.client, options.service, read, options.load.allow_hosts))
    chosen = chosen_digest([spec.resolve(), options], read)
    with ExitStack() as stack:
        spool = stdin if isinstance(stdin, Stdin) else stack.enter_context(Stdin(stdin))
        kept = kept_plan(job, options, chosen, spool)
        if kept is not None:
            stack.callback(kept.ledger.close)
            yield kept
            return
        ledger = PlanLedger()
        stack.callback(ledger.close)
        stamps = Stamps()
        rows = read_rows(job, options.selection, stdin=spool, stamps=stamps)
        requests = RequestBuilder(job, service=options.service).requests(rows)
        concurrency = job.run.concurrency or USUAL_CONCURRENCY
        plan = ledger.add(requests, cells=len(job.cells), repeat=job.repeat, ttl=job.cache.ttl, concurrency=concurrency)
        plan = with_cache(plan, job, ledger.prefixes)
        plan = capped(plan, job, ledger)
        errors = [problem for problem in plan.problems if problem.is_error]
        if errors:
            raise SpecError.of(errors)
        yield PlannedJob(job, plan, ledger, options, spool, stamps, chosen)


def kept_plan(job: JobSpec, options: PlanOptions, chosen: str, stdin: Stdin) -> PlannedJob | None:
    """The plan that an earlier process kept of the very same job and inputs; None when there is none to trust."""
    for path in options.kept(job):
        try:
            notes = read_notes(path)
            if still_holds(notes.get("made_from"), chosen, stdin):
                ledger, plan = PlanLedger.kept(path, notes)
                plan = capped(with_cache(plan, job, ledger.prefixes), job, ledger)
                return PlannedJob(job, plan, ledger, options, stdin, Stamps(), chosen, kept_at=path)
        except Unusable:
            continue
    return None


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
            same = other.resolve() == job.path.resolve()
            what = "this spec is given twice" if same else f"`{other}` and `{job.path}` are both named `{job.name}`"
            step = "Name it once." if same else "Give one of them another `name:`."
            problems.append(Problem("same-name", what, Position(str(job.path)), "" if same else "name", step))
    return problems
