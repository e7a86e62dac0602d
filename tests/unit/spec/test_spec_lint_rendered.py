"""What a row supplies is held to the same rules as what the spec says, once for each combination."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import SpecError
from runner.planning import PlanOptions, plan_job
from runner.spec.job import REQUEST_FIELDS, JobSpec
from runner.spec.lint_rendered import DECISIVE, RenderedRules
from runner.spec.load import load_job

VALUES: dict[str, list[Any]] = {
    "model": ["claude-opus-5-5", "claude-opus-5", "claude-opus-4-6", "claude-haiku-4-5", "claude-sonnet-5-5", "mine"],
    "thinking": ["adaptive", "off", "between_tools", {"type": "enabled", "budget_tokens": 2000}],
    "effort": ["low", "xhigh"],
    "max_tokens": [1500, 22_000, 100_000],
}
COMBINATIONS = [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]
FIXED = "run: {stream: false}\nfallbacks: off\n"


def problems(folder: Path, text: str) -> list[str]:
    """The rules that a spec breaks, as errors, when it is loaded and planned."""
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        with plan_job(path, PlanOptions(), env={}, stdin=io.BytesIO()):
            return []
    except SpecError as error:
        return sorted(problem.rule for problem in error.problems if problem.is_error)


def as_yaml(fields: dict[str, Any]) -> str:
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items())


@pytest.mark.parametrize("fields", COMBINATIONS[::5], ids=str)
def test_a_row_s_values_break_the_rules_that_the_spec_s_would(tmp_path: Path, fields: dict[str, Any]) -> None:
    said = problems(tmp_path, f"{FIXED}prompt: a\n{as_yaml(fields)}")
    templates = "".join(f'{name}: "{{{{ row.{name} }}}}"\n' for name in fields)
    assert problems(tmp_path, f"{FIXED}prompt: a\n{templates}inputs: [{json.dumps(fields)}]\n") == said
    overridden = f"{FIXED}prompt: a\nmodel: claude-opus-5-5\ninputs: [{{overrides: {json.dumps(fields)}}}]\n"
    assert problems(tmp_path, overridden) == said


def test_the_combinations_break_some_rules() -> None:
    assert len(COMBINATIONS) == 144


def a_job(folder: Path, text: str) -> JobSpec:
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return load_job(path, env={})


def test_each_combination_is_looked_at_once(tmp_path: Path) -> None:
    job = a_job(tmp_path, 'model: "{{ model }}"\neffort: "{{ effort }}"\nprompt: "{{ text }}"\ninputs: [{text: a}]\n')
    rules, cell = RenderedRules(job), job.cells[0]
    found = [
        rules.problems(cell, {"model": model, "effort": "max", "max_tokens": 1 + n, "prompt": str(n)}, ["model"], ())
        for n in range(200)
        for model in ("claude-opus-5", "claude-haiku-4-5")
    ]
    assert len(rules._known) == 2
    assert [one.rule for problems in found for one in problems] == ["effort-refused"] * 200
    assert found[1] is found[3]


def test_what_is_remembered_has_a_bound(tmp_path: Path) -> None:
    job = a_job(tmp_path, 'model: "{{ model }}"\nprompt: a\ninputs: [{model: a}]\n')
    rules, cell = RenderedRules(job), job.cells[0]
    for n in range(5000):
        assert rules.problems(cell, {"model": f"model-{n}"}, ["model"], ()) == ()
    assert len(rules._known) <= 4096


def test_a_job_whose_rows_decide_nothing_is_not_asked(tmp_path: Path) -> None:
    job = a_job(tmp_path, "model: claude-opus-5\nprompt: '{{ text }}'\ninputs: [{text: a}]\n")
    rules = RenderedRules(job)
    assert (
        rules.problems(job.cells[0], {"model": "claude-haiku-4-5", "effort": "max"}, (), ("prompt", "metadata")) == ()
    )
    assert rules._known == {}


def test_the_row_s_own_value_is_found_at_the_row_and_a_template_s_at_the_template(tmp_path: Path) -> None:
    job = a_job(tmp_path, 'model: "{{ model }}"\neffort: max\nprompt: a\ninputs: [{model: claude-opus-5}]\n')
    rules, fields = RenderedRules(job), {"model": "claude-haiku-4-5", "effort": "max"}
    (templated,) = rules.problems(job.cells[0], fields, ["model"], ())
    (overridden,) = rules.problems(job.cells[0], fields, ["model"], ["effort"])
    assert templated.where is not None
    assert (templated.where.line, templated.path) == (2, "effort")
    assert (overridden.where, overridden.path) == (None, "overrides.effort")


def test_decisive_fields_are_request_fields() -> None:
    assert set(REQUEST_FIELDS) >= DECISIVE
