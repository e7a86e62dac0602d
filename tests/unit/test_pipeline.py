"""The pipeline's own rules: what stops before sending, what identical requests cost, which exit code wins."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest

from runner.ends import exit_code, first_that_applies
from runner.engine.live import Ended, Stop
from runner.errors import PromptrunError, SpecError
from runner.models.summary import Summary
from runner.pipeline import run_jobs
from runner.planning import PlannedJob, PlanOptions, plan_job, plan_jobs
from runner.records import Failure
from runner.sitting import Finished, RunOptions, World
from runner.store import read_results, read_run, read_usage

SPEC = """\
model: claude-haiku-5-5
prompt: "Say {{ word }}"
inputs:
  file: words.csv
"""


def write_job(folder: Path, words: list[str], name: str = "job.yaml") -> Path:
    (folder / "words.csv").write_text("word\n" + "\n".join(words) + "\n", encoding="utf-8")
    spec = folder / name
    spec.write_text(SPEC, encoding="utf-8")
    return spec


def run(planned: list[PlannedJob], outputs: Path, **options: bool) -> list[Finished]:
    async def collect() -> list[Finished]:
        world = World(env={})
        options_ = RunOptions(outputs=outputs, simulate=True, **options)
        return [unless_raised(ended) async for ended in run_jobs(planned, options_, Stop(), world)]

    return asyncio.run(collect())


def unless_raised(ended: Finished | PromptrunError) -> Finished:
    if isinstance(ended, PromptrunError):
        raise ended
    return ended


def test_identical_requests_are_sent_once_and_both_get_the_answer(tmp_path: Path) -> None:
    spec = write_job(tmp_path, ["one", "two", "one"])
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        assert planned.plan.identical == 1
        (finished,) = run([planned], tmp_path / "outputs")
    lines = list(read_results(Path(finished.summary.folder)))
    assert [line["id"] for line in lines] == ["1", "2", "3"]
    assert lines[2]["text"] == lines[0]["text"]
    assert lines[2]["reused_from"]["n"] == 0
    assert lines[2]["billed_usd"] == 0
    assert lines[2]["row"] == {"word": "one"}
    assert [len(line["calls"]) for line in lines] == [1, 1, 0]
    assert finished.exit_code == 0


def test_a_source_that_changes_after_planning_stops_the_run(tmp_path: Path) -> None:
    spec = write_job(tmp_path, ["one", "two"])
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        write_job(tmp_path, ["one", "two", "three"])
        with pytest.raises(SpecError) as caught:
            run([planned], tmp_path / "outputs")
    assert caught.value.problems[0].rule == "source-changed"


def test_a_change_that_keeps_size_and_time_is_still_noticed(tmp_path: Path) -> None:
    spec = write_job(tmp_path, ["one", "two"])
    stat = (tmp_path / "words.csv").stat()
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        write_job(tmp_path, ["one", "ten"])
        os.utime(tmp_path / "words.csv", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(SpecError, match="changed between planning and sending at row `2`") as caught:
            run([planned], tmp_path / "outputs")
    assert "1 of 2 requests answered" in str(caught.value)
    (folder,) = [path.parent for path in tmp_path.glob("outputs/simulated/job/*/run.json")]
    assert str(folder) in str(caught.value)
    assert read_run(folder)["end"] == "source_changed"
    assert read_usage(folder)["tokens"]["output"] > 0


def test_problems_of_all_specs_come_together(tmp_path: Path) -> None:
    good = write_job(tmp_path, ["one"])
    bad = tmp_path / "bad.yaml"
    bad.write_text("model: claude-haiku-5-5\nprompt: '{{ nobody }}'\n", encoding="utf-8")
    worse = tmp_path / "worse.yaml"
    worse.write_text("modl: x\nprompt: hi\n", encoding="utf-8")
    with (
        pytest.raises(SpecError) as caught,
        plan_jobs([good, bad, worse], PlanOptions(), env={}, stdin=io.BytesIO()),
    ):
        pass
    text = str(caught.value)
    assert "`nobody`" in text
    assert "modl" in text


def test_two_specs_with_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    specs = [write_job(tmp_path / folder, ["one"]) for folder in "ab"]
    with (
        pytest.raises(SpecError, match="both named `job`"),
        plan_jobs(specs, PlanOptions(), env={}, stdin=io.BytesIO()),
    ):
        pass


def test_the_same_command_again_continues_only_an_unfinished_run(tmp_path: Path) -> None:
    spec = write_job(tmp_path, ["one"])
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as planned:
        first = run([planned], tmp_path / "outputs")[0].summary
        second = run([planned], tmp_path / "outputs")[0].summary
    assert first.finished
    assert not second.continued
    assert second.run > first.run


def summary(*, total: int = 10, good: int = 10, left: int = 0, transient: int = 0) -> Summary:
    return Summary("job", "run", "folder", total, total - left, good, finished=True, left=left, transient=transient)


BILLING = Failure("billing", "no credit")
LIMITED = Failure("rate_limited", "slow down", retry_after=7200)


@pytest.mark.parametrize(
    ("state", "ended", "code"),
    [
        (summary(), Ended(), 0),
        (summary(good=9), Ended(), 1),
        (summary(good=9, transient=1), Ended(), 75),
        (summary(good=8, transient=1), Ended(), 1),
        (summary(good=5, left=5), Ended(gave_up=LIMITED), 75),
        (summary(good=5, left=5), Ended(failure=BILLING), 4),
        (summary(good=5, left=5), Ended(stopped="interrupted", failure=BILLING), 130),
        (summary(good=5, left=5), Ended(stopped="terminated"), 143),
    ],
)
def test_the_exit_code_says_who_acts(state: Summary, ended: Ended, code: int) -> None:
    assert exit_code(state, ended) == code


def test_of_several_jobs_the_gravest_code_wins() -> None:
    assert first_that_applies([0, 1, 75]) == 75
    assert first_that_applies([1, 4, 130]) == 130
    assert first_that_applies([1, 75, 2, 3]) == 2
    assert first_that_applies([0, 0]) == 0
