"""The account's limits, by the real command: refusals, waits that are too long, several specs (docs/pace.md).

How fast it goes is for the benchmarks to say; here only counts and exit codes that no timing decides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness import Answer, Command, HandServer, error, message, numbered, read_lines, write_job

STORM = 6


def refused(**headers: str) -> Answer:
    return error(429, "rate_limit_error", "This request would exceed your organization's rate limit.", **headers)


def hour(server: HandServer, body: dict[str, Any], n: int) -> Answer:
    return refused(**{"retry-after": "3600"})


def test_an_hour_to_wait_with_a_deadline_of_a_minute_ends_at_once_and_says_why(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = hour
    spec = write_job(tmp_path, numbered(30), extra="run: {deadline: 1m}\n")
    done = promptrun(spec, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert done.returncode == 3, done.stderr
    assert "deadline 1 min: the API asks to wait 1 h longer" in done.stderr
    assert "run.deadline" in done.stderr
    assert len(hand_server.bodies) < 30
    run = json.loads(next((tmp_path / "out").glob("job/*/run.json")).read_text(encoding="utf-8"))
    assert run["sittings"][-1]["limit"]["kind"] == "deadline"


def test_an_hour_to_wait_without_a_deadline_is_for_another_time(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = hour
    done = promptrun(write_job(tmp_path, numbered(30)), "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert done.returncode == 75, done.stderr


@pytest.mark.parametrize("headers", [{}, {"retry-after-ms": "20"}, {"retry-after": "0"}])
def test_a_storm_of_refusals_costs_no_row(
    promptrun: Command, hand_server: HandServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    hand_server.behaviour = lambda server, body, n: message(body) if n > STORM else refused(**headers)
    spec = write_job(tmp_path, numbered(60), extra="run: {retry: {base: 0, max: 20}}\n")
    folder = Path(promptrun.ok(spec, "--output-dir", tmp_path / "out", env=hand_server.environment()).strip())
    assert len(hand_server.bodies) == 60 + STORM
    assert [line["status"] for line in read_lines(folder / "results.jsonl")] == ["ok"] * 60


def test_refusals_without_an_end_end_the_command_as_soon_as_its_retries_would_have(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: refused()
    spec = write_job(tmp_path, numbered(1), extra="run: {retry: {max: 2, base: 0.01}}\n")
    done = promptrun(spec, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert done.returncode == 75, done.stderr
    assert len(hand_server.bodies) == 3


def test_specs_of_one_command_are_sent_side_by_side(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    """Neither job could end if the other one had to wait for it."""
    hand_server.behaviour = once_both_came
    first = write_job(tmp_path, [{"id": "a", "word": "alpha"}], name="first")
    second = write_job(tmp_path, [{"id": "b", "word": "beta"}], name="second")
    printed = promptrun.ok(first, second, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert [Path(line).parent.name for line in printed.split()] == ["first", "second"]
    assert {body["messages"][-1]["content"] for body in hand_server.bodies} == {"Say alpha", "Say beta"}


def once_both_came(server: HandServer, body: dict[str, Any], n: int) -> Answer:
    with server.arrived:
        assert server.arrived.wait_for(lambda: len(server.bodies) >= 2, timeout=60)
    return message(body)


def test_one_job_that_the_account_refuses_stops_the_others(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: error(401, "authentication_error", "invalid x-api-key")
    specs = [write_job(tmp_path, numbered(50), name=name) for name in ("first", "second", "third")]
    done = promptrun(*specs, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert done.returncode == 4, done.stderr
    assert len(hand_server.bodies) < 50


def test_a_warm_up_is_overhead_of_the_run(promptrun: Command, tmp_path: Path) -> None:
    rules = "Sort support tickets with care, and never guess. " * 400
    spec = write_job(tmp_path, numbered(12), extra=f"system: {json.dumps(rules)}\ncache: {{warm_up: true}}\n")
    folder = Path(promptrun.ok(spec, "--simulate", "--output-dir", tmp_path / "out").strip())
    results = read_lines(folder / "results.jsonl")
    assert [line["status"] for line in results] == ["ok"] * 12
    assert all(line["usage"]["cache_read_input_tokens"] for line in results)
    overhead = [line for line in read_lines(folder / "journal.jsonl") if line["t"] == "overhead"]
    assert len(overhead) == 1
    assert overhead[0]["usage"]["cache_creation_input_tokens"] > 0


def test_the_pace_is_in_run_json(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    limits = {
        "anthropic-ratelimit-requests-limit": "600000", "anthropic-ratelimit-requests-remaining": "599999",
    }  # fmt: skip

    def behaviour(server: HandServer, body: dict[str, Any], n: int) -> Answer:
        status, headers, content = message(body)
        return status, {**headers, **limits}, content

    hand_server.behaviour = behaviour
    spec = write_job(tmp_path, numbered(10), extra="run: {limits: {input_tokens_per_minute: 100000000}}\n")
    folder = Path(promptrun.ok(spec, "--output-dir", tmp_path / "out", env=hand_server.environment()).strip())
    (pace,) = json.loads((folder / "run.json").read_text(encoding="utf-8"))["sittings"][-1]["pace"]
    assert (pace["model"], pace["learned"]) == ("claude-haiku-5-5", "headers")
    assert (pace["requests_per_minute"], pace["input_tokens_per_minute"]) == (600_000, 100_000_000)
