"""What a sitting is given and what comes of it: its options, its world, where its results go, what run.json says it is.

Records and small facts about them; sends nothing and writes nothing.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.inputs import Selection
from runner.inputs.made_from import data_files
from runner.planning import PlannedJob
from runner.records import Event, Json
from runner.spec.job import JobSpec

if TYPE_CHECKING:
    from runner.engine.live import Ended
    from runner.models.resume import Resume
    from runner.models.summary import Summary
    from runner.retrying import Retry


@dataclass(frozen=True)
class Started:
    """A job whose sending begins. answered: requests with an answer already. run, folder: where the results go.

    resume: what the run has behind it.
    """

    planned: PlannedJob
    answered: int
    run: str
    folder: Path
    resume: Resume | None = None


def no_observer(started: Started) -> Callable[[Event], None]:
    return lambda event: None


@dataclass(frozen=True)
class RunOptions:
    """How planned jobs are sent. outputs: where the results go; None: outputs/ at the root of each job's project.

    arguments: as typed, for run.json. max_cost: the cap on all jobs together, in US dollars.
    wait: for whoever runs the job already. retry: what to send of an earlier run.
    """

    outputs: Path | None = None
    simulate: bool = False
    fresh: bool = False
    concurrency: int | None = None
    arguments: tuple[str, ...] = ()
    wait: bool = False
    retry: Retry | None = None
    max_cost: float | None = None

    @property
    def starts_anew(self) -> bool:
        """Whether no earlier run is looked at, neither to go on with it nor for its answers."""
        return self.fresh or self.retry is not None


@dataclass(frozen=True)
class World:
    """What a run happens in. observer: called when a job starts; gives who is told what happens to it.

    around: a context that each job is sent in, by its name. say: told what people should know at once.
    reusing: told now and then, by job, how many answers of earlier runs are written down, and of how many.
    """

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    observer: Callable[[Started], Callable[[Event], None]] = no_observer
    around: Callable[[str], AbstractContextManager[object]] = nullcontext
    rng: random.Random = field(default_factory=random.Random)
    say: Callable[[str], None] = lambda text: None
    reusing: Callable[[str, int, int], None] = lambda job, done, total: None


@dataclass(frozen=True)
class Finished:
    """How one job's sitting ended: what is on disk below `outputs`, why it ended, the exit code that asks for."""

    summary: Summary
    ended: Ended
    exit_code: int
    outputs: Path


def outputs_of(job: JobSpec, given: Path | None) -> Path:
    return given or job.root / "outputs"


def job_folder(job: JobSpec, given: Path | None, *, simulate: bool = False) -> Path:
    """The folder of a job's runs. given: `--output-dir`. Simulated runs live apart."""
    outputs = outputs_of(job, given)
    return (outputs / "simulated" if simulate else outputs) / job.name


def plans_of_runs(outputs: Path | None, *, simulate: bool) -> Callable[[JobSpec], Iterable[Path]]:
    """Where the unfinished runs of a job keep their plans, for `PlanOptions.kept`. outputs: as in `job_folder`."""

    def kept(job: JobSpec) -> Iterable[Path]:
        from runner.store.kept_plan import kept_plans

        return kept_plans(job_folder(job, outputs, simulate=simulate))

    return kept


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
        limited=selection.partial,
        checks=one.job.checks.written,
        shard=shard_json(selection),
        **(options.retry.manifest() if options.retry else {}),
    )


def shard_json(selection: Selection) -> Mapping[str, Json] | None:
    """The shard as run.json has it. limited: other flags chose among the rows before they were dealt."""
    shard = selection.shard
    others = replace(selection, shard=None, left_out=frozenset())
    return {"k": shard.k, "of": shard.of, "limited": others.partial} if shard else None
