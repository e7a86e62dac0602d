"""The line that goes on with a job."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.cli.again import Again, of_run
from runner.cli.options import SELECTION, SENDING, Chosen, Flags
from runner.cli.retry import retry_words
from runner.records import Limit
from runner.spec.job import MaxCost

TYPED = Chosen(
    specs=(Path("specs/my job.yaml"), Path("specs/b.yaml")),
    limit=5,
    only=("it's", "-x"),
    shard=(2, 8),
    variables=("tone=very kind",),
    sets=("run.concurrency=2", "run.max_cost=0.5"),
    allow_paths=(Path("../data"),),
    allow_hosts=("gateway.test",),
)
FLAGS = Flags(
    wait=True,
    concurrency=3,
    max_cost=0.25,
    yes=True,
    output_dir=Path("my out"),
    output="json",
    log_file=Path("log.jsonl"),
    quiet=True,
)
SELECTED = "--limit 5 --shard 2/8 --only 'it'\"'\"'s' --only -x --var 'tone=very kind' --allow-path ../data"
SENT = "--output-dir 'my out' --format json --log-file log.jsonl --quiet"


def job(cap: MaxCost | None = None) -> Any:
    return SimpleNamespace(job=SimpleNamespace(path=Path("specs/b.yaml"), run=SimpleNamespace(max_cost=cap)))


def test_everything_that_was_typed_but_fresh() -> None:
    assert of_run(TYPED, FLAGS, simulate=True, piped=False).line(job()) == (
        f"`promptrun 'specs/my job.yaml' specs/b.yaml --simulate {SELECTED} --allow-host gateway.test"
        f" --set run.concurrency=2 --set run.max_cost=0.5 --wait --concurrency 3 --max-cost 0.25 --yes {SENT}` again"
    )


def test_it_knows_every_option_there_is() -> None:
    """A new option of `run` has to be in the line as well."""
    line = of_run(TYPED, FLAGS, simulate=False, piped=False).line(job())
    words = shlex.split(line.rpartition("`")[0].strip("`"))

    def probe() -> None: ...

    for decorate in (*SELECTION[1:], *SENDING):
        decorate(probe)
    options = [parameter.opts[0] for parameter in probe.__click_params__]  # type: ignore[attr-defined]
    assert [option for option in options if option not in words] == []


def test_a_spec_that_does_not_look_like_one_is_run_by_name() -> None:
    plain = replace(TYPED, specs=(Path("nightly"),), limit=None, only=(), shard=None, variables=(), sets=())
    plain = replace(plain, allow_paths=(), allow_hosts=())
    assert of_run(plain, Flags(), simulate=False, piped=False).line(job()) == "`promptrun run nightly` again"


def test_rows_from_standard_input_have_to_come_again() -> None:
    line = Again(lambda spec: ["a.yaml"], (), Flags(), piped=True).line(job())
    assert line == "`promptrun a.yaml` again with the same standard input"


@pytest.mark.parametrize(
    ("cap", "key"),
    [(MaxCost(0.5), "run.max_cost"), (None, "run.max_cost"), (MaxCost(0.5, best_effort=True), "run.max_cost.usd")],
)
def test_the_cap_that_ended_a_job_is_raised_for_that_job(cap: MaxCost | None, key: str) -> None:
    limit = Limit("max_cost", "spent", "", "run.max_cost", 0.000012)
    typed = replace(TYPED, sets=(f"{key}=0.5", "run.concurrency=2"))
    line = of_run(typed, Flags(), simulate=False, piped=False).line(job(cap), limit)
    assert line.startswith("`promptrun specs/b.yaml --limit 5 ")
    assert line.endswith(f" --set run.concurrency=2 --set {key}=0.000012` (or more)")
    assert "=0.5" not in line


def test_the_cap_on_all_jobs_is_raised_where_the_same_again_would_not_do() -> None:
    raised = Limit("max_cost", "spent", "", "--max-cost", 3.0)
    start = Again(lambda spec: ["a.yaml", "b.yaml"], (), Flags(max_cost=2.5))
    assert start.line(job(), raised) == "`promptrun a.yaml b.yaml --max-cost 3` (or more)"
    assert start.line(job(), Limit("max_cost", "spent")) == "`promptrun a.yaml b.yaml --max-cost 2.5` again"


def test_what_looks_like_a_credential_is_not_said() -> None:
    typed = replace(TYPED, variables=("api_key=sk-ant-api03-secretsecret",))
    assert of_run(typed, Flags(), simulate=False, piped=False).line(job()) == ""


def test_a_retry_names_the_run_itself_and_keeps_its_flags() -> None:
    run = "20261122T092811.123Z-7f3a"

    def line(ref: str, *statuses: str, limit: Limit | None = None, **flags: Any) -> str:
        return Again(retry_words(ref, run, frozenset(statuses)), (), Flags(**flags)).line(job(), limit)

    assert line("triage@1", "failed") == f"`promptrun retry {run}` again"
    assert line("triage@latest", "refused", "failed", output_dir=Path("out"), max_cost=2.0) == (
        f"`promptrun retry {run} --status failed,refused --max-cost 2 --output-dir out` again"
    )
    assert line(f"runs/{run}", "failed", limit=Limit("max_cost", "", "", "run.max_cost", 1.5)) == (
        f"`promptrun retry runs/{run} --set run.max_cost=1.5` (or more)"
    )
