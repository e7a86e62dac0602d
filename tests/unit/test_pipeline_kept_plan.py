"""A large run keeps its plan until it is finished; going on with it takes that plan up."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from runner.engine.live import Stop
from runner.pipeline import run_jobs
from runner.planning import PlannedJob, PlanOptions, plan_job
from runner.run_folder import WORTH_KEEPING
from runner.sitting import Finished, RunOptions, World
from runner.store.kept_plan import NAME, kept_plans

SPEC = "model: claude-haiku-5-5\nprompt: 'Say {{ word }}'\ninputs: {file: words.csv}\n"


def write_job(folder: Path, rows: int) -> Path:
    words = "".join(f"word {n}\n" for n in range(rows))
    (folder / "words.csv").write_text(f"word\n{words}", encoding="utf-8")
    (folder / "job.yaml").write_text(SPEC, encoding="utf-8")
    return folder / "job.yaml"


def run(planned: PlannedJob, outputs: Path, *, stopped: bool = False) -> Finished:
    """stopped: before anything is sent."""

    async def once() -> Finished:
        stop = Stop()
        if stopped:
            stop.request()
        options = RunOptions(outputs=outputs, simulate=True)
        (finished,) = [one async for one in run_jobs([planned], options, stop, World(env={}))]
        return finished

    return asyncio.run(once())


def test_a_large_plan_is_kept_and_taken_up(tmp_path: Path) -> None:
    spec, outputs = write_job(tmp_path, WORTH_KEEPING), tmp_path / "outputs"
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        begun = run(planned, outputs, stopped=True).summary
    (kept,) = kept_plans(outputs / "simulated" / "job")
    assert kept == Path(begun.folder) / NAME

    options = PlanOptions(kept=lambda job: kept_plans(outputs / "simulated" / job.name))
    with plan_job(spec, options, env={}, stdin=io.BytesIO()) as planned:
        assert planned.kept_at == kept
        gone_on = run(planned, outputs, stopped=True).summary
    assert (gone_on.run, gone_on.continued) == (begun.run, True)
    assert kept.exists()


def test_a_finished_run_keeps_no_plan(tmp_path: Path) -> None:
    spec, outputs = write_job(tmp_path, 3), tmp_path / "outputs"
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        folder = Path(run(planned, outputs, stopped=True).summary.folder)
        assert not (folder / NAME).exists()  # so few are planned in no time
        (folder / NAME).write_bytes(b"a plan")
        finished = run(planned, outputs).summary
    assert (finished.folder, finished.finished) == (str(folder), True)
    assert not (folder / NAME).exists()
