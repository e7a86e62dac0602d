"""A model that asks for too long a wait is left for the next sitting; the rows of the others are answered at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness import Command, HandServer, json_lines, message

OPUS, HAIKU = "claude-opus-4-8", "claude-haiku-4-5"
REFUSED = {"type": "error", "error": {"type": "rate_limit_error", "message": "too many requests"}}
SPEC = f"""\
name: both
max_tokens: 100
prompt: "Tell about {{{{ word }}}}."
inputs: [{", ".join(f"{{word: w{n:02}}}" for n in range(30))}]
matrix: {{model: [{OPUS}, {HAIKU}]}}
run: {{concurrency: 2}}
"""


@pytest.mark.parametrize(("run", "code"), [("", 75), ("run.deadline=5m", 3)])
def test_the_other_model_is_asked_to_the_end_and_the_next_sitting_goes_on(
    promptrun: Command, hand_server: HandServer, tmp_path: Path, run: str, code: int
) -> None:
    spec = tmp_path / "both.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    words = (spec, "--output-dir", tmp_path / "outputs", "--format", "json", *(("--set", run) if run else ()))

    def refusing(server: HandServer, body: dict[str, Any], n: int) -> Any:
        if body["model"] == OPUS:
            return 429, {"retry-after": "3600"}, json.dumps(REFUSED).encode()
        return message(body, "fine")

    hand_server.behaviour = refusing
    done = promptrun(*words, env=hand_server.environment())
    assert done.returncode == code, done.stderr
    (summary,) = json_lines(done.stdout)
    assert summary["good"] == 30
    models = [body["model"] for body in hand_server.bodies]
    assert models.count(HAIKU) == 30
    assert models.count(OPUS) <= 2
    said = f"{OPUS}: too many requests" if code == 75 else "the API asks to wait 1 h longer"
    assert said in done.stderr

    hand_server.behaviour = lambda server, body, n: message(body, "fine")
    again = promptrun(*words, env=hand_server.environment())
    assert again.returncode == 0, again.stderr
    assert json_lines(again.stdout)[0]["good"] == 60
    assert [body["model"] for body in hand_server.bodies].count(HAIKU) == 30
