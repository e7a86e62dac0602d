"""Structured output with the real command: outputs that fit, replies that are asked again, and those given up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness import SPECS, Command, HandServer, message, read_lines
from jsonschema import Draft202012Validator

EVENT = json.loads((SPECS / "schemas" / "event.schema.json").read_text(encoding="utf-8"))
SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["bug", "praise"]}, "score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["label", "score"],
}
GOOD = '{"label": "bug", "score": 3}'


def write(folder: Path, rows: list[str], **output: Any) -> Path:
    """A job that asks each row, and wants SCHEMA back unless `output` says otherwise."""
    spec = {
        "name": "job",
        "model": "claude-haiku-5-5",
        "max_tokens": 200,
        "prompt": "{{ word }}",
        "output": {"schema": SCHEMA, **output},
        "inputs": [{"word": word} for word in rows],
    }
    (folder / "job.yaml").write_text(json.dumps(spec), encoding="utf-8")
    return folder / "job.yaml"


def results_of(folder: Path) -> list[dict[str, Any]]:
    """Of the one run below the folder; `latest` leads to the same file."""
    (found,) = {path.resolve() for path in folder.rglob("results.jsonl")}
    return read_lines(found)


def purposes(line: dict[str, Any]) -> list[str]:
    return [call["for"] for call in line["calls"]]


def test_extraction_gives_json_that_fits_its_schema(promptrun: Command, tmp_path: Path) -> None:
    promptrun.ok(SPECS / "extraction.yaml", "--simulate", "--output-dir", tmp_path)
    lines = results_of(tmp_path)
    assert len(lines) == 22
    for line in lines:
        Draft202012Validator(EVENT).validate(line["output"])
        assert json.loads(line["text"]) == line["output"]


def test_a_reply_that_does_not_fit_is_sent_back_with_what_is_wrong(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    bad = '{"label": "idea", "score": 9}'
    hand_server.behaviour = lambda server, body, n: message(body, bad if n == 1 else GOOD)
    promptrun.ok(write(tmp_path, ["hello"]), "--output-dir", tmp_path / "out", env=hand_server.environment())

    first, second = hand_server.bodies
    assert first["output_config"]["format"]["schema"]["properties"]["score"] == {
        "type": "integer",
        "description": "{minimum: 1, maximum: 5}",
    }
    assert [turn["role"] for turn in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == [{"type": "text", "text": bad}]
    complaint = str(second["messages"][2]["content"])
    assert "output.label: `\"idea\"` is not one of ['bug', 'praise']" in complaint
    assert "output.score: `9` is greater than the maximum of 5" in complaint
    (line,) = results_of(tmp_path / "out" / "job")
    assert (line["status"], line["output"], line["problems"]) == ("ok", json.loads(GOOD), [])
    assert purposes(line) == ["turn", "ask_again"]
    assert line["usage"]["output_tokens"] == 12, "both calls are counted"


def test_asking_again_ends(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: message(body, f"No {n}.")
    done = promptrun(write(tmp_path, ["a"]), "--output-dir", tmp_path / "out", env=hand_server.environment())

    assert done.returncode == 1
    (line,) = results_of(tmp_path / "out" / "job")
    assert purposes(line) == ["turn", "ask_again", "ask_again"]
    assert (line["status"], line["good"], line["output"]) == ("invalid", False, None)
    assert line["problems"] == ["output: the reply is not JSON (line 1, column 1)"]


@pytest.mark.parametrize("mode", ["native", "text"])
def test_on_invalid_fail_asks_once(mode: str, promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: message(body, "No.")
    spec = write(tmp_path, ["a"], on_invalid="fail", mode=mode)
    assert promptrun(spec, "--output-dir", tmp_path / "out", env=hand_server.environment()).returncode == 1
    assert len(hand_server.bodies) == 1
    assert ("output_config" in hand_server.bodies[0]) == (mode == "native")
    (line,) = results_of(tmp_path / "out" / "job")
    assert (line["status"], purposes(line)) == ("invalid", ["turn"])


def test_text_mode_finds_the_json_in_what_the_model_says(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: message(body, f"Here you are:\n```json\n{GOOD}\n```\n")
    promptrun.ok(write(tmp_path, ["a"], mode="text"), "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert "output_config" not in hand_server.bodies[0]
    (line,) = results_of(tmp_path / "out" / "job")
    assert (line["status"], line["output"]) == ("ok", json.loads(GOOD))


def test_the_summary_groups_by_the_first_error(promptrun: Command, tmp_path: Path) -> None:
    replies = [GOOD, *(json.dumps({"label": word, "score": n}) for n, word in enumerate(("x", "y", "z"), 1)), "No."]
    rows = [f"{n} [[simulate:text={reply}]]" for n, reply in enumerate(replies)]
    done = promptrun(write(tmp_path, rows, on_invalid="fail"), "--simulate", "--output-dir", tmp_path / "out")

    assert done.returncode == 1
    assert "3 invalid: output.label: `\"x\"` is not one of ['bug', 'praise'] (such as `2`)" in done.stderr
    assert "1 invalid: output: the reply is not JSON (line 1, column 1) (such as `5`)" in done.stderr
    shown = promptrun.ok("show", "simulated/job@latest", "3", "--output-dir", tmp_path / "out")
    assert "invalid: output.label: `\"y\"` is not one of ['bug', 'praise']" in shown


def test_a_refusal_is_no_invalid_output(promptrun: Command, tmp_path: Path) -> None:
    spec = write(tmp_path, ["[[simulate:refusal]]"])
    promptrun(spec, "--simulate", "--set", "fallbacks=off", "--output-dir", tmp_path / "out")
    (line,) = results_of(tmp_path / "out")
    assert (line["status"], line["output"], line["problems"], purposes(line)) == ("refused", None, [], ["turn"])
