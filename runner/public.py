"""What a Python program may use: `from runner import load_job, plan_job, run_job` (docs/python.md).

The commands without a command line: nothing is printed, nothing exits, and nobody is asked. What is wrong with a spec,
an account or a disk is raised as an `errors.PromptrunError`. The rules are `planning`'s and `pipeline`'s; none is here.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypedDict, Unpack

import orjson

from runner import planning
from runner.confirming import RULE, is_capped, question
from runner.errors import Position, Problem, PromptrunError, SpecError
from runner.inputs import Selection, Shard
from runner.planning import PlannedJob, PlanOptions
from runner.records import Json
from runner.spec import load
from runner.spec.job import JobSpec
from runner.spec.load import LoadOptions
from runner.spec.paths import outputs_asked

if TYPE_CHECKING:
    from runner.models.summary import Summary
    from runner.records import Failure
    from runner.sitting import Finished, RunOptions, World

Spec: TypeAlias = str | os.PathLike[str]
RESULTS = "results.jsonl"


@dataclass(frozen=True)
class JobRun:
    """A job as far as this call of `run_job` brought it.

    folder: of the run; docs/outputs.md says what is in it. exit_code: what `promptrun` would have ended with
    (docs/exit-codes.md); 0 when every check passed. summary: all counts and costs, over all sittings of the run.
    cause: why the account or the API let nothing more be sent, else None. warnings: of the spec and the plan.
    """

    folder: Path
    exit_code: int
    summary: Summary
    cause: Failure | None = None
    warnings: tuple[Problem, ...] = ()

    def results(self) -> Iterator[dict[str, Json]]:
        """The lines of results.jsonl (`promptrun schema result`), in order once the run is finished."""
        with (self.folder / RESULTS).open("rb") as lines:
            yield from map(orjson.loads, lines)


class LoadArguments(TypedDict, total=False):
    """How a spec is read; the flags of `promptrun` by their names.

    variables: values of names in `vars`, as after `--var`: a text such as "5" is the number. settings: keys of the spec
    by their path, as after `--set`: `{"run.concurrency": 5}`. env: instead of the environment of this process.
    """

    variables: Mapping[str, Json] | None
    settings: Mapping[str, Json] | None
    allow_paths: Sequence[Spec]
    allow_hosts: Sequence[str]
    env: Mapping[str, str] | None


class PlanArguments(LoadArguments, total=False):
    """Which requests there are. shard: `(2, 8)` for the second of eight. stdin: what a spec that reads `-` gets, opened
    binary; nothing by default."""

    limit: int | None
    only: Sequence[str]
    shard: tuple[int, int] | None
    simulate: bool
    stdin: BinaryIO | None


def load_job(spec: Spec, **arguments: Unpack[LoadArguments]) -> JobSpec:
    """The job that a spec file describes, checked; its rows are not read. Raises SpecError with every problem found."""
    _refuse_others("load_job", arguments, LoadArguments.__optional_keys__)
    return load.load_job(Path(spec), _load_options(arguments), env=_env(arguments))


def plan_job(spec: Spec, **arguments: Unpack[PlanArguments]) -> AbstractContextManager[PlannedJob]:
    """Every request of a job, rendered: `with plan_job(spec) as planned`. Sends nothing. Raises SpecError on entering.

    `planned.plan` counts, `planned.requests()` gives the requests one by one, `planned.cost()` what they may cost.
    """
    _refuse_others("plan_job", arguments, PlanArguments.__optional_keys__)
    return _planned(spec, arguments)


def run_job(
    spec: Spec,
    *,
    fresh: bool = False,
    wait: bool = False,
    concurrency: int | None = None,
    max_cost: float | None = None,
    yes: bool = False,
    output_dir: Spec | None = None,
    **arguments: Unpack[PlanArguments],
) -> JobRun:
    """Plan a job, send what has no answer yet, and say how that ended; the flags of `promptrun run` by their names.

    Blocks until the run ends, on an event loop of its own: in a coroutine or a notebook write
    `await asyncio.to_thread(run_job, spec)`. A run that ends before it is finished goes on when this is called again.
    yes: send although the plan may cost more than the spec's `run.confirm_above`. The rest is as in `plan_job`.
    Raises SpecError before anything is sent, AccountError without credentials, TryLater while another process runs the
    job, OutputError when results cannot be written, RuntimeError inside a running event loop.
    """
    _refuse_others("run_job", arguments, PlanArguments.__optional_keys__)
    _require(concurrency is None or concurrency > 0, "concurrency is the number of requests in flight: at least 1")
    _require(max_cost is None or 0 < max_cost <= 1e9, "max_cost is in US dollars, and more than 0")
    _require_no_loop()
    from runner.sitting import RunOptions, World, plans_of_runs
    from runner.telemetry import tracing

    simulate, env = arguments.get("simulate", False), _env(arguments)
    outputs = outputs_asked(output_dir, env)
    sending = RunOptions(outputs, simulate, fresh, concurrency, wait=wait, max_cost=max_cost)
    with _planned(spec, arguments, plans_of_runs(outputs, simulate=simulate)) as one:
        warnings = [
            *one.job.warnings,
            *one.plan.warnings,
            *one.plan.problems,
            *_require_money(one, max_cost, yes=yes or simulate),
        ]
        with tracing(os.environ, warnings.append) as around:
            finished = asyncio.run(_sent(one, sending, World(env=env, around=around)))
    folder, cause = Path(finished.summary.folder), finished.ended.cause
    return JobRun(folder, finished.exit_code, finished.summary, cause, tuple(warnings))


async def _sent(one: PlannedJob, options: RunOptions, world: World) -> Finished:
    from runner.engine.live import Stop
    from runner.pipeline import run_jobs

    [ended] = [ended async for ended in run_jobs([one], options, Stop(), world)]
    if isinstance(ended, PromptrunError):
        raise ended
    return ended


def _require_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("run_job was called inside an event loop; write `await asyncio.to_thread(run_job, …)`")


def _require_money(one: PlannedJob, max_cost: float | None, *, yes: bool) -> list[Problem]:
    """Warnings about the cap. Raises SpecError for one that is no wall, and for a cost that nobody has confirmed."""
    from runner.spending import flag_problems

    found = list(flag_problems([one], max_cost))
    if not (yes or is_capped(one, max_cost)) and (what := question(one, max_cost)):
        step = "pass `yes=True`, or cap it with `max_cost`"
        found.append(Problem(RULE, what, Position(str(one.job.path)), "run.confirm_above", step))
    if errors := [problem for problem in found if problem.is_error]:
        raise SpecError.of(errors)
    return found


def _planned(
    spec: Spec, arguments: PlanArguments, kept: Callable[[JobSpec], Iterable[Path]] = lambda job: ()
) -> AbstractContextManager[PlannedJob]:
    env, load = _env(arguments), _load_options(arguments)
    limit, shard = arguments.get("limit"), arguments.get("shard")
    _require(limit is None or limit > 0, "limit is a number of rows: at least 1")
    _require(shard is None or 1 <= shard[0] <= shard[1], "shard is (k, of), and (2, 8) the second of eight")
    options = PlanOptions(
        load=load,
        selection=Selection(_several(arguments.get("only")), limit, Shard(*shard) if shard else None),
        service=planning.service_asked(env, load.allow_hosts, simulate=arguments.get("simulate", False)),
        kept=kept,
    )
    return planning.plan_job(Path(spec), options, env=env, stdin=arguments.get("stdin") or io.BytesIO())


def _load_options(arguments: LoadArguments) -> LoadOptions:
    settings, variables = arguments.get("settings") or {}, arguments.get("variables") or {}
    return LoadOptions(
        sets=tuple(f"{key}={orjson.dumps(value).decode()}" for key, value in settings.items()),
        vars=tuple(f"{name}={_as_typed(value)}" for name, value in variables.items()),
        allow_paths=tuple(map(Path, _several(arguments.get("allow_paths")))),
        allow_hosts=_several(arguments.get("allow_hosts")),
    )


def _env(arguments: LoadArguments) -> Mapping[str, str]:
    env = arguments.get("env")
    return os.environ if env is None else env


def _require(fits: bool, otherwise: str) -> None:
    if not fits:
        raise ValueError(otherwise)


def _refuse_others(function: str, arguments: Mapping[str, object], known: frozenset[str]) -> None:
    """As Python itself does it for arguments that stand in a function's own list."""
    for name in arguments:
        if name not in known:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def _several(given: Any) -> tuple[Any, ...]:
    """One text is one, and not its letters."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str | os.PathLike) else tuple(given)


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
