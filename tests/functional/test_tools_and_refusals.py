"""Tools, MCP tokens, refusals and compaction over a real socket: what a result says, and what it never holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness import CHECKOUT, Command, HandServer, error, json_lines, read_lines
from jsonschema import Draft202012Validator

VALID = CHECKOUT / "tests" / "examples" / "valid"
SCHEMA = Draft202012Validator(json.loads((CHECKOUT / "schemas" / "result.schema.json").read_text(encoding="utf-8")))
TOKEN = "swordfish-7f3a"


class Simulated:
    """Runs an example on the simulator. marker: what to ask of it, behind the prompt."""

    def __init__(self, promptrun: Command, folder: Path) -> None:
        self.promptrun = promptrun
        self.folder = folder

    def __call__(self, name: str, *words: str, marker: str = "", exit_code: int = 0) -> list[dict[str, Any]]:
        sets = ["--set", f"prompt=Say something. [[simulate:{marker}]]"] if marker else []
        done = self.promptrun(VALID / f"{name}.yaml", "--simulate", "--output-dir", self.folder, *sets, *words)
        assert done.returncode == exit_code, done.stderr
        results = read_lines(Path(done.stdout.strip()) / "results.jsonl")
        for line in results:
            SCHEMA.validate(line)
        return results


@pytest.fixture
def simulated(promptrun: Command, tmp_path: Path) -> Simulated:
    return Simulated(promptrun, tmp_path)


# ---------------------------------------------------------------- tools


def test_client_tools_are_recorded_and_good(simulated: Simulated) -> None:
    results = simulated("tools")
    assert [(line["status"], line["good"]) for line in results] == [("tool_use", True)] * 2
    for line in results:
        (call,) = line["tool_calls"]
        (block,) = [one for one in line["calls"][-1]["response"]["content"] if one["type"] == "tool_use"]
        assert call == {name: block[name] for name in ("id", "name", "input")}
        assert call["name"] in ("get_order", "str_replace_based_edit_tool")


@pytest.mark.parametrize(
    "example", ["web-search", "skills", "container", "region-and-speed", "headers", "betas", "extra-body", "mcp"]
)
def test_the_simulator_takes_it(simulated: Simulated, example: str) -> None:
    """It refuses what the API refuses: fields without their beta, tools with wrong settings."""
    results = simulated(example)
    assert {(line["status"], len(line["tool_calls"])) for line in results} == {("ok", 0)}
    assert all(line["text"] for line in results)


# ---------------------------------------------------------------- refusals


def test_a_declined_request_is_answered_by_the_next_model(simulated: Simulated) -> None:
    (line,) = simulated("fallbacks", marker="refusal")
    assert (line["status"], line["good"]) == ("ok", True)
    assert line["model"]["asked"] == "claude-fable-5-1"
    assert line["model"]["served"] == "claude-opus-4-8"
    (switch,) = line["model"]["switches"]
    assert (switch["from"], switch["to"]) == ("claude-fable-5-1", "claude-opus-4-8")
    iterations = line["calls"][0]["iterations"]
    assert [(one["type"], one["model"]) for one in iterations] == [
        ("message", "claude-fable-5-1"),
        ("fallback_message", "claude-opus-4-8"),
    ]
    assert iterations[0]["cost_usd"] == 0
    assert sum(one["cost_usd"] for one in iterations) == pytest.approx(line["cost_usd"])


def test_the_default_is_sent_where_the_spec_says_nothing(simulated: Simulated) -> None:
    (line,) = simulated("smallest", marker="refusal")
    assert (line["status"], line["model"]["asked"]) == ("ok", "claude-opus-5-5")
    assert line["model"]["served"] != line["model"]["asked"]


@pytest.mark.parametrize(
    ("words", "marker"), [(["--set", "fallbacks=off"], "refusal"), ([], "refusal=all")], ids=["off", "whole chain"]
)
def test_what_nobody_answers_is_refused_and_asked_once(simulated: Simulated, words: list[str], marker: str) -> None:
    (line,) = simulated("fallbacks", *words, marker=marker, exit_code=1)
    assert (line["status"], line["good"], line["stop_reason"]) == ("refused", False, "refusal")
    assert line["stop_details"]["type"] == "refusal"
    assert line["failure"] is None
    assert [len(call["attempts"]) for call in line["calls"]] == [1]
    assert line["cost_usd"] == 0


def test_the_plan_says_where_fallbacks_are_sent(promptrun: Command) -> None:
    said = promptrun.ok("plan", VALID / "smallest.yaml")
    assert "what claude-opus-5-5 declines goes to a fallback model" in said
    assert "fallback model" not in promptrun.ok("plan", VALID / "smallest.yaml", "--set", "fallbacks=off")


def test_a_server_of_ones_own_gets_no_fallbacks_unasked(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    promptrun.ok(VALID / "smallest.yaml", "--output-dir", tmp_path, env=hand_server.environment())
    (body,), (headers,) = hand_server.bodies, hand_server.headers
    assert "fallbacks" not in body
    assert "anthropic-beta" not in headers


# ---------------------------------------------------------------- compaction


def test_a_conversation_that_grew_is_compacted(simulated: Simulated) -> None:
    (line,) = simulated("compaction", marker="compact")
    blocks = [block["type"] for block in line["calls"][0]["response"]["content"]]
    assert (line["status"], "compaction" in blocks, "text" in blocks) == ("ok", True, True)
    iterations = line["calls"][0]["iterations"]
    assert [one["type"] for one in iterations] == ["compaction", "message"]
    assert sum(one["cost_usd"] for one in iterations) == pytest.approx(line["cost_usd"])


def test_a_summary_alone_is_a_good_answer(simulated: Simulated) -> None:
    (line,) = simulated("compaction-summary")
    assert (line["status"], line["good"], line["stop_reason"]) == ("ok", True, "compaction")
    assert [block["type"] for block in line["calls"][0]["response"]["content"]] == ["compaction"]


# ---------------------------------------------------------------- tokens of MCP servers


def test_a_token_is_sent_and_written_nowhere(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: error(400, "invalid_request_error", f"{TOKEN} was refused")
    environment = {**hand_server.environment(), "DB_PASSWORD": TOKEN}
    spec, log = VALID / "mcp.yaml", tmp_path / "log.txt"
    done = promptrun(spec, "--output-dir", tmp_path / "out", env={**environment, "ANTHROPIC_LOG": ""})
    assert done.returncode == 1
    (body,) = hand_server.bodies
    assert [server.get("authorization_token") for server in body["mcp_servers"]] == [TOKEN, None]

    shown = [promptrun(command, spec, env=environment) for command in ("render", "plan", "validate")]
    (rendered,) = json_lines(shown[0].stdout)
    assert rendered["body"]["mcp_servers"][0]["authorization_token"] == "***"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 4
    assert not log.exists()
    texts = [one.stdout + one.stderr for one in (done, *shown)]
    assert not [text for text in texts if TOKEN in text]
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]
    assert "was refused" in done.stderr


def test_the_key_does_not_know_the_token(promptrun: Command) -> None:
    lines = [
        json_lines(promptrun.ok("render", VALID / "mcp.yaml", env=env))
        for env in ({}, {"DB_PASSWORD": TOKEN}, {"DB_PASSWORD": "another"})
    ]
    assert lines[0] == lines[1] == lines[2]


def test_without_the_token_nothing_is_sent(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    done = promptrun(VALID / "mcp.yaml", "--output-dir", tmp_path, env=hand_server.environment())
    assert done.returncode == 2
    assert "`DB_PASSWORD`" in done.stderr
    assert hand_server.bodies == []


def test_the_simulator_is_never_told_a_token(promptrun: Command, tmp_path: Path) -> None:
    """`body` has it repeat what it was sent."""
    done = promptrun(
        VALID / "mcp.yaml", "--simulate", "--output-dir", tmp_path, "--set", "prompt=Hello. [[simulate:body]]",
        env={"DB_PASSWORD": TOKEN},
    )  # fmt: skip
    (line,) = read_lines(Path(done.stdout.strip()) / "results.jsonl")
    assert "***" in line["text"]
    assert TOKEN not in json.dumps(line)
