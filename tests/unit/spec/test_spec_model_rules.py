"""Every rule about models: what one refuses, and what is all right on the same or another model."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.errors import SpecError
from runner.models.rules import ModelRules, known_models, rule_for
from runner.spec.load import load_job

TODAY = date(2026, 7, 1)
TOOL = "tools: [{name: t, input_schema: {type: object}}]\n"
SYSTEM_TURN = "messages: [{role: user, content: a}, {role: system, content: b}]\n"
PREFILL = "messages: [{role: user, content: a}, {role: assistant, content: b}]\n"
OUTPUT = "output: {schema: {type: object, properties: {a: {type: string}}, required: [a], additionalProperties: false}}"
BUDGET = "thinking: {type: enabled, budget_tokens: 2000}\n"


class Case(NamedTuple):
    """fact: what of `ModelRules` it is about. bad breaks the rule, good breaks none; both are model and fields."""

    fact: str
    rule: str
    bad: tuple[str, str]
    good: tuple[str, str]


CASES = [
    Case("effort", "effort-refused", ("claude-opus-4-6", "effort: xhigh"), ("claude-opus-4-7", "effort: xhigh")),
    Case("effort", "effort-refused", ("claude-haiku-4-5", "effort: low"), ("claude-opus-4-5", "effort: low")),
    Case("effort", "effort-refused", ("claude-opus-4-5", "effort: max"), ("claude-opus-4-6", "effort: max")),
    Case("thinking_refuses", "thinking-refused", ("claude-opus-4-8", BUDGET), ("claude-opus-4-6", BUDGET)),
    Case(
        "thinking_accepts", "thinking-refused", ("claude-opus-4-5", "thinking: adaptive"),
        ("claude-sonnet-4-6", "thinking: adaptive"),
    ),
    Case(
        "thinking_refuses", "thinking-refused", ("claude-fable-5-1", "thinking: off"),
        ("claude-opus-4-8", "thinking: off"),
    ),
    Case(
        "thinking_off", "thinking-refused", ("claude-sonnet-5-5", "thinking: off"),
        ("claude-sonnet-5-5", "thinking: between_tools"),
    ),
    Case(
        "off_efforts", "thinking-refused", ("claude-opus-5", "thinking: off\neffort: xhigh"),
        ("claude-opus-5", "thinking: off\neffort: high"),
    ),
    Case(
        "thinking_accepts", "thinking-budget", ("claude-opus-4-6", "max_tokens: 2000\n" + BUDGET),
        ("claude-opus-4-6", BUDGET),
    ),
    Case(
        "forced_tools", "forced-tool-refused", ("claude-sonnet-5-5", TOOL + "tool_choice: {type: any}"),
        ("claude-sonnet-5", TOOL + "tool_choice: {type: tool, name: t}"),
    ),
    Case(
        "forced_tools", "forced-tool-refused", ("claude-fable-5-1", TOOL + "tool_choice: {type: tool, name: t}"),
        ("claude-fable-5-1", TOOL + "tool_choice: {type: auto}"),
    ),
    Case(
        "forced_tools", "forced-tool-refused", ("claude-opus-4-5", BUDGET + TOOL + "tool_choice: {type: any}"),
        ("claude-opus-4-5", BUDGET + TOOL + "tool_choice: {type: none}"),
    ),
    Case("prefill", "prefill", ("claude-opus-4-6", PREFILL), ("claude-opus-4-5", PREFILL)),
    Case("system_turns", "system-turn-refused", ("claude-opus-4-7", SYSTEM_TURN), ("claude-opus-4-8", SYSTEM_TURN)),
    Case(
        "max_output", "max-tokens-refused", ("claude-opus-4-5", "max_tokens: 64001"),
        ("claude-opus-4-5", "max_tokens: 64000"),
    ),
    Case(
        "fallbacks", "fallback-refused", ("claude-opus-4-8", "fallbacks: [claude-opus-4-7]"),
        ("claude-opus-5-5", "fallbacks: [claude-opus-4-8]"),
    ),
    Case(
        "fallbacks", "fallback-refused", ("claude-opus-5-5", "fallbacks: [claude-opus-5-5]"),
        ("claude-opus-4-8", "fallbacks: default"),
    ),
    Case("fast", "speed-refused", ("claude-sonnet-5-5", "speed: fast"), ("claude-opus-5-5", "speed: fast")),
    Case("fast", "speed-refused", ("claude-opus-4-7", "speed: fast"), ("claude-opus-4-7", "speed: standard")),
    Case("geo", "geo-refused", ("claude-opus-4-5", "inference_geo: us"), ("claude-opus-4-6", "inference_geo: us")),
    Case("structured_outputs", "output-refused", ("claude-sonnet-4", OUTPUT), ("claude-sonnet-4-5", OUTPUT)),
    Case("retires", "model-retires", ("claude-mythos-preview", ""), ("claude-opus-4-5", "")),
]  # fmt: skip

ELSEWHERE = {
    "id": "its name",
    "context": "how many images and pages a request has: tests/unit/prompts/test_prompts_media.py",
    "served_fallbacks": "what a request may cost: tests/unit/models",
    "min_cache_prefix": "the caching rules: tests/unit/spec/test_spec_lint_cache.py",
    "us_multiplier": "a price, no rule: tests/unit/models/test_models_cost.py",
    "fast_beta": "a header, no rule: tests/unit/prompts/test_prompts_betas.py",
}


def broken(folder: Path, model: str, fields: str) -> list[str]:
    path = folder / "job.yaml"
    ask = "" if "messages:" in fields else "prompt: a\n"
    path.write_text(f"model: {model}\n{ask}{fields}\n", encoding="utf-8")
    try:
        return [problem.rule for problem in load_job(path, env={}, today=TODAY).warnings]
    except SpecError as error:
        return [problem.rule for problem in error.problems]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.bad[0]}")
def test_a_rule_refuses_the_one_and_lets_the_other_pass(case: Case, tmp_path: Path) -> None:
    found = broken(tmp_path, *case.bad)
    assert [rule for rule in found if rule == case.rule or rule != "model-retires"] == [case.rule]
    assert broken(tmp_path, *case.good) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.bad[0]}")
def test_what_is_not_known_is_not_refused(case: Case, tmp_path: Path) -> None:
    """An unknown model gets a warning that it is one, and no rule of another model."""
    of_models = {case.rule} - {"thinking-budget", "fallback-refused", "forced-tool-refused", "prefill"}
    assert not of_models & set(broken(tmp_path, "a-model-of-tomorrow", case.bad[1]))


def test_every_fact_about_models_has_a_case() -> None:
    assert {case.fact for case in CASES} | ELSEWHERE.keys() == set(ModelRules.__dataclass_fields__)


@pytest.mark.parametrize("model", known_models())
def test_facts_that_belong_together(model: str) -> None:
    rules = rule_for(model)
    assert rules is not None
    assert rules.fast or not rules.fast_beta
    assert not (rules.geo is False and rules.us_multiplier != 1)
    assert rules.system_turns is not None
    assert rules.fast is not None
