"""`cache: {warm_up: true}`: when it cannot work, when it has nothing to do, and when it is fine."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec.load import load_job

BASE = "model: claude-opus-4-6\nmax_tokens: 4000\nprompt: a\n"
SCHEMA = "{schema: {type: object, properties: {}, additionalProperties: false}"
BUDGET = "thinking: {type: enabled, budget_tokens: 2000}\n"
FORCED = "tools: [{name: a, input_schema: {type: object}}]\ntool_choice: {type: any}\n"
ATTACHED = "attachments: {text: a long document}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cache: {warm_up: true}\n", []),
        ("cache: {warm_up: false, mode: off}\n", []),
        ("cache: {warm_up: true, mode: off}\n", ["warning"]),
        ("cache: {warm_up: true, mode: automatic}\n", ["warning"]),
        (f"cache: {{warm_up: true}}\noutput: {SCHEMA}}}\n", ["error"]),
        (f"cache: {{warm_up: true}}\noutput: {SCHEMA}, mode: text}}\n", []),
        (f"cache: {{warm_up: true, mode: automatic}}\noutput: {SCHEMA}}}\n", ["warning"]),
        (f"output: {SCHEMA}}}\n", []),
        (f"cache: {{warm_up: true}}\n{BUDGET}", []),
        (f"cache: {{warm_up: true}}\n{BUDGET}{ATTACHED}", ["error"]),
        (f"cache: {{warm_up: true}}\nthinking: adaptive\n{ATTACHED}", []),
        (f"cache: {{warm_up: true}}\n{FORCED}", []),
        (f"cache: {{warm_up: true}}\n{FORCED}{ATTACHED}", ["error"]),
        ("cache: {warm_up: true}\nextra_body: {output_config: {format: {type: json_schema}}}\n", ["error"]),
    ],
)
def test_warm_up(tmp_path: Path, text: str, found: list[str]) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(BASE + text, encoding="utf-8")
    try:
        problems = load_job(path, env={}).warnings
    except SpecError as error:
        problems = tuple(error.problems)
    assert [one.severity for one in problems if one.rule == "cache-warm-up"] == found
    assert {one.rule for one in problems} <= {"cache-warm-up", "schema-closed"}
