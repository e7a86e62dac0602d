from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec.load import load_job

RulesOf = Callable[..., list[str]]
TODAY = date(2026, 11, 22)
ASK = "model: claude-opus-5-5\nprompt: a\n"


@pytest.fixture
def rules_of(tmp_path: Path) -> RulesOf:
    """The rules that a spec breaks, warnings among them."""

    def found(text: str, today: date = TODAY) -> list[str]:
        path = tmp_path / "job.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return [problem.rule for problem in load_job(path, env={}, today=today).warnings]
        except SpecError as error:
            return [problem.rule for problem in error.problems]

    return found


@pytest.mark.parametrize(
    ("today", "rules"),
    [(date(2026, 1, 1), []), (date(2026, 11, 22), ["model-retires"]), (date(2027, 1, 1), ["model-retires"])],
)
def test_a_retiring_model_warns_when_its_time_comes(rules_of: RulesOf, today: date, rules: list[str]) -> None:
    assert rules_of("model: claude-sonnet-4-5\nprompt: a\n", today) == rules


@pytest.mark.parametrize(
    ("model", "fields", "rules"),
    [
        ("claude-opus-5", "thinking: off\neffort: high", []),
        ("claude-opus-5", "thinking: off\neffort: max", ["thinking-refused"]),
        ("claude-opus-4-6", "thinking: {type: enabled, budget_tokens: 1024}", []),
        ("claude-opus-4-5", "thinking: adaptive", ["thinking-refused"]),
        ("claude-sonnet-5-5", "thinking: between_tools", []),
        ("claude-haiku-4-5-20251001", "effort: low", ["effort-refused"]),
        ("claude-opus-4-5", "effort: low", []),
        ("claude-opus-4-5", "effort: xhigh", ["effort-refused"]),
        ("my-model", "effort: xhigh\nthinking: off", ["unknown-model"]),
        ('"{{ m }}"', "effort: xhigh\nthinking: off", []),
        ("claude-opus-4-6", "max_tokens: 1024\nthinking: {type: enabled, budget_tokens: 1024}", ["thinking-budget"]),
        ("claude-opus-4-6", 'max_tokens: "{{ n }}"\nthinking: {type: enabled, budget_tokens: 1024}', []),
        ("claude-opus-4-6", "thinking: {type: enabled, budget_tokens: 16000}", ["thinking-budget"]),
        ("claude-opus-5-5", "max_tokens: 21333\nrun: {stream: false}", []),
        ("claude-opus-5-5", "max_tokens: 21334\nrun: {stream: false}", ["needs-stream"]),
        ("claude-opus-5-5", "max_tokens: 21334", []),
    ],
)
def test_what_models_accept(rules_of: RulesOf, model: str, fields: str, rules: list[str]) -> None:
    assert rules_of(f"model: {model}\nprompt: a\n{fields}\n") == rules


@pytest.mark.parametrize(
    ("more", "warns"),
    [
        ("inputs: [{t: a}, {t: b}]", True),
        ("inputs: [{t: a}]", False),
        ("inputs: [{t: a, overrides: {max_tokens: 5}}, {t: b}]", False),
        ('inputs: [{t: a}, {t: b}]\nsystem: "{{ t }}"', False),
        ('inputs: [{t: a}, {t: b}]\nsystem: "{{ row }}"', False),
        ('inputs: [{t: a}, {t: b}]\nsystem: "{{ repeat }} {{ matrix }} {{ v }}"\nvars: {v: 1}', True),
        ('inputs: [{v: a}, {v: b}]\nsystem: "{{ v }}"\nvars: {v: 1}', False),
        ('inputs: [{t: a}, {t: b}]\nsystem: "{{ v }}"\nvars: {v: 1}\nmatrix: {v: ["{{ t }}"]}', False),
    ],
)
def test_rows_that_nothing_reads(rules_of: RulesOf, more: str, warns: bool) -> None:
    assert rules_of(f"{ASK}{more}\n") == (["rows-unused"] if warns else [])


@pytest.mark.parametrize(
    ("prompt", "warns"), [("a", True), ("{{ v }}", False), ("{{ vars['v'] }}", False), ("{{ matrix.v }}", True)]
)
def test_variables_that_nothing_reads(rules_of: RulesOf, prompt: str, warns: bool) -> None:
    text = f'model: claude-opus-5-5\nprompt: "{prompt}"\nvars: {{v: 1}}\n'
    assert rules_of(text) == (["unused-var"] if warns else [])


def test_a_variable_that_the_matrix_varies_may_be_read_from_there(rules_of: RulesOf) -> None:
    assert rules_of('model: claude-opus-5-5\nprompt: "{{ matrix.v }}"\nvars: {v: 1}\nmatrix: {v: [1, 2]}\n') == []


def test_a_templated_text_is_not_called_empty(rules_of: RulesOf) -> None:
    assert rules_of('model: claude-opus-5-5\nprompt: "{{ t }}"\nsystem: " {{ t }}"\n') == []
