"""`from runner import load_job, plan_job, run_job`: the commands without a command line, against the simulator."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

import runner
from runner import JobRun, load_job, plan_job, run_job
from runner.errors import AccountError, SpecError

SPEC = """\
name: greet
model: claude-haiku-5-5
max_tokens: 100
prompt: "Greet {{ name }} in {{ language }}."
vars: {language: German}
inputs:
  - {id: ada, name: Ada}
  - {id: bo, name: Bo}
  - {id: cy, name: Cy}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return written(tmp_path, SPEC)


def written(folder: Path, text: str) -> Path:
    path = folder / "greet.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def simulated(spec: Path, **arguments: Any) -> JobRun:
    return run_job(spec, simulate=True, env={}, **arguments)


def test_a_job_with_what_the_caller_sets(spec: Path) -> None:
    job = load_job(str(spec), settings={"run.concurrency": 5, "name": "1e3"}, env={})
    assert (job.name, job.run.concurrency, len(job.cells)) == ("1e3", 5, 1)


def test_every_problem_of_a_spec_is_raised_at_once(spec: Path) -> None:
    with pytest.raises(SpecError) as error:
        load_job(spec, settings={"max_tokens": "many"}, variables={"tongue": "Greek"}, env={})
    assert {problem.rule for problem in error.value.problems} == {"wrong-type", "unknown-var"}


@pytest.mark.parametrize("value", ["Greek", 7, None, True])
def test_variables_of_any_plain_kind(spec: Path, value: object) -> None:
    job = load_job(spec, variables={"language": value}, env={})
    assert job.cells[0].cli_vars == {"language": value}


def test_a_plan_counts_and_gives_the_requests(spec: Path) -> None:
    with plan_job(spec, only=["bo", "cy"], limit=1, env={}) as planned:
        [request] = planned.requests()
        cost = planned.cost().most_usd
    assert (planned.plan.requests, request.id) == (1, "bo")
    assert orjson.loads(request.body)["messages"] == [{"role": "user", "content": "Greet Bo in German."}]
    assert cost is not None
    assert 0 < cost < 0.01


def test_what_a_plan_reads_from_stdin(tmp_path: Path) -> None:
    spec = written(tmp_path, SPEC[: SPEC.index("inputs:")] + "inputs: {file: '-', format: jsonl}\n")
    with plan_job(spec, stdin=io.BytesIO(b'{"name": "Di"}\n'), env={}) as planned:
        assert planned.plan.requests == 1


def test_a_run_and_the_same_again(spec: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = simulated(spec)
    again = simulated(spec)
    assert (first.exit_code, first.summary.good, first.summary.total, first.cause) == (0, 3, 3, None)
    assert first.folder.parent == spec.parent / "outputs" / "simulated" / "greet"
    assert [(line["id"], line["status"]) for line in first.results()] == [("ada", "ok"), ("bo", "ok"), ("cy", "ok")]
    assert (again.exit_code, again.summary.reused) == (0, 3)
    assert again.folder != first.folder
    assert capfd.readouterr() == ("", "")


def test_a_run_that_ended_early_goes_on(spec: Path) -> None:
    with plan_job(spec, env={}) as planned:
        a_request = (planned.cost().most_usd or 0.0) / 3
    short = simulated(spec, settings={"run.max_cost": round(1.1 * a_request, 9), "run.concurrency": 1})
    assert (short.exit_code, short.summary.finished, 0 < short.summary.good < 3) == (3, False, True)
    assert short.summary.limit is not None
    whole = simulated(spec)
    assert (whole.exit_code, whole.summary.good, whole.folder) == (0, 3, short.folder)


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_where_results_go(spec: Path, tmp_path: Path, by: str) -> None:
    place = tmp_path / "elsewhere"
    if by == "argument":
        run = simulated(spec, output_dir=place)
    else:
        run = run_job(spec, simulate=True, env={"PROMPTRUN_OUTPUT_DIR": str(place)})
    assert run.folder.parent == place / "simulated" / "greet"


def test_warnings_come_with_the_run(tmp_path: Path) -> None:
    spec = written(tmp_path, SPEC.replace("claude-haiku-5-5", "claude-of-next-year"))
    assert [problem.rule for problem in simulated(spec).warnings] == ["unknown-model"]


def test_without_credentials_nothing_is_written(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(AccountError):
        run_job(spec, env={"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)})
    assert not list(tmp_path.rglob("run.json"))


def test_a_cost_that_nobody_confirmed(tmp_path: Path) -> None:
    spec = written(tmp_path, SPEC + "run: {confirm_above: 0.0001}\n")
    env = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    with pytest.raises(SpecError, match=r"greet may cost up to .*\n.*`yes=True`"):
        run_job(spec, env=env)
    for said in ({"yes": True}, {"max_cost": 1.0}):
        with pytest.raises(AccountError):  # it got that far
            run_job(spec, env=env, **said)
    assert simulated(spec).exit_code == 0


def test_shards_are_runs_of_their_own_and_together_all_rows(spec: Path) -> None:
    ids = [[line["id"] for line in simulated(spec, shard=(k, 2)).results()] for k in (1, 2)]
    assert ids == [["ada", "cy"], ["bo"]]


def test_one_text_is_one_id_and_not_its_letters(spec: Path) -> None:
    with plan_job(spec, only="bo", env={}) as planned:
        assert planned.plan.requests == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"shard": (3, 2)},
        {"shard": (0, 0)},
        {"concurrency": 0},
        {"max_cost": 0},
        {"max_cost": float("nan")},
    ],
    ids=str,
)
def test_numbers_that_make_no_sense(spec: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} is "):
        simulated(spec, **wrong)


@pytest.mark.parametrize("function", [load_job, plan_job, run_job])
def test_an_argument_that_there_is_not(spec: Path, function: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) got an unexpected keyword argument 'varables'$"):
        function(spec, varables={"language": "Greek"})


TRACED = """
import sys
from runner import run_job
for name in ("ada", "bo"):
    print(run_job(sys.argv[1], only=[name], simulate=True, env={}).warnings)
"""


def test_each_run_of_a_program_has_its_span(spec: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACED, str(spec)],
        env={**os.environ, "OTEL_TRACES_EXPORTER": "console"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == "()\n()\n"
    assert done.stderr.count('"promptrun.run"') == 2
    assert done.stderr.count('"anthropic.messages.create"') == 2


def test_inside_an_event_loop(spec: Path) -> None:
    async def program() -> JobRun:
        with pytest.raises(RuntimeError, match=r"asyncio\.to_thread"):
            simulated(spec)
        return await asyncio.to_thread(simulated, spec)

    assert asyncio.run(program()).exit_code == 0


def test_there_is_nothing_else() -> None:
    assert not hasattr(runner, "retry_job")
