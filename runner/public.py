"""What a Python program may use: `from runner import load_job, plan_job, run_job` (docs/python.md).

The commands without a command line: nothing is printed, nothing exits, and nobody is asked. What is wrong with a spec,
an account or a disk is raised as an `errors.PromptrunError`. The rules are `planning`'s and `pipeline`'s; none is here.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import orjson

from runner import planning
from runner.confirming import RULE, is_capped, question
from runner.errors import Position, Problem, SpecError
from runner.inputs import Selection
from runner.planning import PlannedJob, PlanOptions
from runner.records import Json
from runner.spec import load
from runner.spec.job import JobSpec
from runner.spec.load import LoadOptions

if TYPE_CHECKING:
    from runner.models.summary import Summary
    from runner.records import Failure
    from runner.sitting import Finished, RunOptions

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


def load_job(
    spec: Spec,
    *,
    variables: Mapping[str, Json] | None = None,
    settings: Mapping[str, Json] | None = None,
    allow_paths: Sequence[Spec] = (),
    allow_hosts: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> JobSpec:
    """The job that a spec file describes, checked; its rows are not read. Raises SpecError with every problem found.

    variables: values of names in `vars`, as after `--var`: a text such as "5" is the number. settings: keys of the spec
    by their path, as after `--set`: `{"run.concurrency": 5}`. env: instead of the environment of this process.
    """
    options = _load_options(variables, settings, allow_paths, allow_hosts)
    return load.load_job(Path(spec), options, env=os.environ if env is None else env)


def plan_job(
    spec: Spec,
    *,
    limit: int | None = None,
    only: Sequence[str] = (),
    simulate: bool = False,
    variables: Mapping[str, Json] | None = None,
    settings: Mapping[str, Json] | None = None,
    allow_paths: Sequence[Spec] = (),
    allow_hosts: Sequence[str] = (),
    stdin: BinaryIO | None = None,
    env: Mapping[str, str] | None = None,
) -> AbstractContextManager[PlannedJob]:
    """Every request of a job, rendered: `with plan_job(spec) as planned`. Sends nothing. Raises SpecError on entering.

    `planned.plan` counts, `planned.requests()` gives the requests one by one, `planned.cost()` what they may cost.
    limit, only, simulate: as the flags of `promptrun plan`. stdin: what a spec that reads `-` gets; nothing by default.
    The rest is as in `load_job`.
    """
    env = os.environ if env is None else env
    options = PlanOptions(
        load=_load_options(variables, settings, allow_paths, allow_hosts),
        selection=Selection(only=tuple(only), limit=limit),
        service=planning.service_asked(env, allow_hosts, simulate=simulate),
    )
    return planning.plan_job(Path(spec), options, env=env, stdin=stdin or io.BytesIO())


def run_job(
    spec: Spec,
    *,
    limit: int | None = None,
    only: Sequence[str] = (),
    simulate: bool = False,
    fresh: bool = False,
    wait: bool = False,
    concurrency: int | None = None,
    max_cost: float | None = None,
    yes: bool = False,
    output_dir: Spec | None = None,
    variables: Mapping[str, Json] | None = None,
    settings: Mapping[str, Json] | None = None,
    allow_paths: Sequence[Spec] = (),
    allow_hosts: Sequence[str] = (),
    stdin: BinaryIO | None = None,
    env: Mapping[str, str] | None = None,
) -> JobRun:
    """Plan a job, send what has no answer yet, and say how that ended; the flags of `promptrun run` by their names.

    Blocks until the run ends, on an event loop of its own: in a coroutine or a notebook write
    `await asyncio.to_thread(run_job, spec)`. A run that ends before it is finished goes on when this is called again.
    yes: send although the plan may cost more than the spec's `run.confirm_above`. The rest is as in `plan_job`.
    Raises SpecError before anything is sent, AccountError without credentials, TryLater while another process runs the
    job, OutputError when results cannot be written, RuntimeError inside a running event loop.
    """
    _require_no_loop()
    from runner.sitting import RunOptions

    env = os.environ if env is None else env
    outputs = _outputs(output_dir, env)
    options = PlanOptions(
        load=_load_options(variables, settings, allow_paths, allow_hosts),
        selection=Selection(only=tuple(only), limit=limit),
        service=planning.service_asked(env, allow_hosts, simulate=simulate),
        kept=lambda job: _kept_plans(job, outputs, simulate=simulate),
    )
    sending = RunOptions(
        outputs=outputs, simulate=simulate, fresh=fresh, wait=wait, concurrency=concurrency, max_cost=max_cost
    )
    with planning.plan_job(Path(spec), options, env=env, stdin=stdin or io.BytesIO()) as one:
        warnings = (
            *one.job.warnings,
            *one.plan.warnings,
            *one.plan.problems,
            *_require_money(one, max_cost, yes=yes or simulate),
        )
        finished = asyncio.run(_sent(one, sending, env))
    return JobRun(Path(finished.summary.folder), finished.exit_code, finished.summary, finished.ended.cause, warnings)


async def _sent(one: PlannedJob, options: RunOptions, env: Mapping[str, str]) -> Finished:
    from runner.engine.live import Stop
    from runner.pipeline import run_jobs
    from runner.sitting import World

    [ended] = [finished async for finished in run_jobs([one], options, Stop(), World(env=env))]
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


def _load_options(
    variables: Mapping[str, Json] | None,
    settings: Mapping[str, Json] | None,
    allow_paths: Sequence[Spec],
    allow_hosts: Sequence[str],
) -> LoadOptions:
    return LoadOptions(
        sets=tuple(f"{key}={orjson.dumps(value).decode()}" for key, value in (settings or {}).items()),
        vars=tuple(f"{name}={_as_typed(value)}" for name, value in (variables or {}).items()),
        allow_paths=tuple(map(Path, allow_paths)),
        allow_hosts=tuple(allow_hosts),
    )


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _outputs(given: Spec | None, env: Mapping[str, str]) -> Path | None:
    """PROMPTRUN_OUTPUT_DIR where nothing is given; None: outputs/ at the root of the spec's project."""
    named = given or env.get("PROMPTRUN_OUTPUT_DIR")
    return Path(named) if named else None


def _kept_plans(job: JobSpec, outputs: Path | None, *, simulate: bool) -> Iterator[Path]:
    from runner.sitting import job_folder
    from runner.store.kept_plan import kept_plans

    yield from kept_plans(job_folder(job, outputs, simulate=simulate))
