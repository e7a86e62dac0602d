"""A server that fails in every way that sending again cures, and in those that it does not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Command, HandServer, error, message, numbered, read_lines, write_job

RETRYABLE = {
    "rate_limited", "overloaded", "server_error", "dropped", "cut_body", "timeout",
    "stream_overload", "dropped_stream", "truncated_stream",
}  # fmt: skip
STREAMED = 30_000
"""A `max_tokens` so large that `stream: auto` streams; the smaller ones come as one JSON body."""


def results_of(printed: str) -> list[dict[str, Any]]:
    return read_lines(Path(printed.strip()) / "results.jsonl")


def attempts_of(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [attempt for line in results for call in line["calls"] for attempt in call["attempts"]]


def test_500_rows_with_a_fifth_of_the_attempts_failing(
    promptrun: Command, simulator: Callable[..., str], simulator_log: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    url = simulator("--latency", "0", "--fault-rate", "0.2", "--seed", "3")
    rows = [{**row, "overrides": {"max_tokens": STREAMED if n % 2 else 64}} for n, row in enumerate(numbered(500))]
    quick = "  overrides: overrides\nrun: {concurrency: 60, request_timeout: 2s, retry: {base: 0, max: 8}}\n"
    spec = write_job(tmp_path, rows, extra=quick)
    environment = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "any"}
    results = results_of(promptrun.ok(spec, "--output-dir", tmp_path / "out", env=environment))
    log = simulator_log(url)
    sent = [entry for entry in log["entries"] if entry["path"] == "/v1/messages"]

    assert [line["id"] for line in results] == [row["id"] for row in rows]
    assert all(line["good"] and line["simulated"] for line in results)
    assert set(log["faults"]) == RETRYABLE
    assert min(log["faults"].values()) >= 10, log["faults"]
    recorded_is_what_was_sent(attempts_of(results), sent)


def recorded_is_what_was_sent(attempts: list[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
    """One to one: by request id where one came back, and by number for those whose connection broke before."""
    assert len(attempts) == len(sent)
    asked = {entry["request_id"]: entry for entry in sent}
    known = {attempt["request_id"]: attempt for attempt in attempts if attempt["request_id"]}
    for request_id, attempt in known.items():
        assert bool(attempt["failure"]) == bool(asked[request_id]["fault"])
    unknown = Counter(entry["fault"] for request_id, entry in asked.items() if request_id not in known)
    broken = Counter(attempt["failure"]["kind"] for attempt in attempts if attempt["request_id"] is None)
    assert set(unknown) <= {"dropped", "timeout", "cut_body"}
    assert broken == {"connection": unknown["dropped"] + unknown["cut_body"], "timeout": unknown["timeout"]}


@pytest.mark.parametrize(
    ("marker", "status", "kind"),
    [
        ("refusal=all", "refused", None),
        ("stop=max_tokens", "truncated", None),
        ("stop=model_context_window_exceeded", "truncated", None),
        ("invalid", "failed", "invalid_request"),
        ("too_large", "failed", "too_large"),
        ("malformed", "failed", "malformed_reply"),
    ],
)
def test_what_no_retry_cures_ends_its_row_alone(
    marker: str, status: str, kind: str | None, promptrun: Command, tmp_path: Path
) -> None:
    rows = [*numbered(3), {"id": "odd", "word": f"[[simulate:{marker}]]"}, {"id": "after", "word": "one more"}]
    done = promptrun(write_job(tmp_path, rows), "--simulate", "--output-dir", tmp_path / "out")
    results = {line["id"]: line for line in results_of(done.stdout)}

    assert done.returncode == 1, done.stderr
    odd = results.pop("odd")
    assert all(line["good"] for line in results.values())
    assert (odd["status"], odd["good"]) == (status, False)
    assert (odd["failure"] or {}).get("kind") == kind
    assert len(odd["calls"][0]["attempts"]) == 1, "sending the same again would only cost"
    assert "odd" in done.stderr


def test_20_identical_400s_stop_the_lane(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: error(400, "invalid_request_error", "max_tokens: too many")
    spec = write_job(tmp_path, numbered(2_000), extra="run: {concurrency: 4}\n")
    done = promptrun(spec, "--output-dir", tmp_path / "out", env=hand_server.environment())

    assert done.returncode == 1, done.stderr
    assert 20 <= len(hand_server.bodies) <= 24, "what was in flight with the twentieth, and no more"
    assert "max_tokens: too many" in done.stderr


def test_a_success_in_between_keeps_the_lane_open(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: (
        error(400, "invalid_request_error", "the same every time") if n % 20 else message(body)
    )
    spec = write_job(tmp_path, numbered(60), extra="run: {concurrency: 1}\n")
    promptrun(spec, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert len(hand_server.bodies) == 60


def test_an_api_that_stays_down_exits_75_and_a_later_run_sends_only_the_rest(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: (
        error(529, "overloaded_error", "Overloaded") if "word 2" in json.dumps(body) else message(body)
    )
    spec = write_job(tmp_path, numbered(5), extra="run: {retry: {max: 1, base: 0}}\n")
    arguments = (spec, "--output-dir", tmp_path / "out")
    first = promptrun(*arguments, env=hand_server.environment())
    assert first.returncode == 75, first.stderr
    assert len(hand_server.bodies) == 6

    hand_server.behaviour = lambda server, body, n: message(body)
    results = results_of(promptrun.ok(*arguments, env=hand_server.environment()))
    assert [line["status"] for line in results] == ["ok"] * 5
    assert len(hand_server.bodies) == 7
