"""A job's money: its budget under both caps, and when nothing of what is left can be sent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.models.resume import Spent
from runner.planning import PlannedJob, PlanOptions, plan_job
from runner.prompts.cap import reserved
from runner.spending import budget_for, flag_problems, shared_budget, spent_already

SPEC = """\
name: shop
model: claude-opus-4-8
max_tokens: 400
prompt: "Answer: {{ text }}"
inputs:
  - {text: My chain slips under load.}
  - {text: Do you rent cargo bikes?}
"""


@contextmanager
def planned(tmp_path: Path, run: str = "") -> Iterator[PlannedJob]:
    spec = tmp_path / "shop.yaml"
    spec.write_text(SPEC + run, encoding="utf-8")
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as one:
        yield one


def test_what_was_spent_before_counts_against_the_job_s_cap_alone(tmp_path: Path):
    with planned(tmp_path, "run: {max_cost: 2}\n") as one:
        above = shared_budget(5.0)
        budget = budget_for(one, Spent(usd=1.0, maybe_usd=0.5), above)
    assert (budget.cap, budget.spent, budget.left) == (2.0, 1.5, 0.5)
    assert above is not None
    assert above.left == 5.0


def test_without_any_cap_there_is_none_to_pass(tmp_path: Path):
    with planned(tmp_path) as one:
        budget = budget_for(one, Spent(usd=1.0), shared_budget(None))
        assert budget.left is None
        assert spent_already(one, budget) is None


def test_best_effort_is_the_job_s_word(tmp_path: Path):
    with planned(tmp_path, "run: {max_cost: {usd: 2, best_effort: true}}\n") as one:
        assert budget_for(one, Spent()).take(None)
    with planned(tmp_path, "run: {max_cost: 2}\n") as one:
        assert not budget_for(one, Spent()).take(None)


def test_a_cap_is_spent_when_not_even_the_cheapest_request_fits(tmp_path: Path):
    with planned(tmp_path, "run: {max_cost: 2}\n") as one:
        held = reserved(one.ledger, one.job.prices)
        assert held is not None
        assert spent_already(one, budget_for(one, Spent(usd=2 - held.least * 1.0001))) is None
        limit = spent_already(one, budget_for(one, Spent(usd=1.99, maybe_usd=0.0075)))
    assert limit is not None
    assert limit.kind == "max_cost"
    assert limit.what == (
        "max_cost $2.00: $2.00 is booked, and $0.0025 is too little for the next request, which may cost $0.011"
    )
    assert limit.next == "Raise `run.max_cost` to $2.01 or more, then run the same command again: it goes on."


def test_what_has_an_answer_is_not_asked_about(tmp_path: Path):
    with planned(tmp_path, "run: {max_cost: 2}\n") as one:
        done = one.without([0, 1])
        assert spent_already(done, budget_for(done, Spent(usd=2))) is None


@pytest.mark.parametrize(
    ("run", "max_cost", "rules"),
    [
        ("model: claude-next\n", 5.0, ["cap-unpriced"]),
        ("model: claude-next\n", None, []),
        ("model: claude-next\nrun: {max_cost: {usd: 9, best_effort: true}}\n", 5.0, []),
        ("model: claude-opus-4-8\n", 0.001, ["cap-too-small"]),
        ("model: claude-opus-4-8\n", 5.0, []),
    ],
)
def test_the_flag_is_held_against_every_plan(tmp_path: Path, run: str, max_cost: float | None, rules: list[str]):
    spec = tmp_path / "shop.yaml"
    spec.write_text(SPEC.replace("model: claude-opus-4-8\n", run), encoding="utf-8")
    with plan_job(spec, PlanOptions(), env={}, stdin=io.BytesIO()) as one:
        found = list(flag_problems([one], max_cost))
    assert [problem.rule for problem in found] == rules
    assert all(problem.what.startswith("--max-cost: ") for problem in found)
