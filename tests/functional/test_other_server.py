"""A server that is not the simulator works through ANTHROPIC_BASE_URL, with no change to the spec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import SPECS, Command, HandServer, json_lines, message, read_lines


def test_what_is_sent_is_what_render_shows(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    environment = hand_server.environment()
    rendered = json_lines(promptrun.ok("render", SPECS / "conversation.yaml", env=environment))
    promptrun.ok(SPECS / "conversation.yaml", "--output-dir", tmp_path, env=environment)

    assert in_any_order(hand_server.bodies) == in_any_order([line["body"] for line in rendered])
    assert {headers["anthropic-version"] for headers in hand_server.headers} != {""}
    assert all("not-a-real-key" in str(headers) for headers in hand_server.headers)


def in_any_order(bodies: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(body, sort_keys=True) for body in bodies)


def test_its_answers_are_the_results(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: message(body, f"heard {body['messages'][-1]['content']!r}")
    printed = promptrun.ok(SPECS / "capitals.yaml", "--output-dir", tmp_path, env=hand_server.environment())
    folder = Path(printed.strip())
    results = read_lines(folder / "results.jsonl")

    assert folder.parent.resolve() == (tmp_path / "capitals").resolve(), "real answers do not lie under simulated/"
    assert len(results) == 21
    assert all("heard" in line["text"] and not line["simulated"] for line in results)
    assert "Austria" in results[0]["text"]
    assert "South Africa" in results[-1]["text"]
    assert results[0]["calls"][0]["attempts"][0]["request_id"] == "req_hand_written"


def test_no_credential_is_written_anywhere(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    done = promptrun(SPECS / "capitals.yaml", "--limit", "1", "--output-dir", tmp_path, env=hand_server.environment())
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(b"not-a-real-key" in content for content in written)
    assert "not-a-real-key" not in done.stdout + done.stderr
