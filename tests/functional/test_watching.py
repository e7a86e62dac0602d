"""What docs/watching.md says: the log's lines and fields, and OpenTelemetry's spans, from the real command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import CHECKOUT, SPECS, Command

PAGE = CHECKOUT / "docs" / "watching.md"
ROW = re.compile(r"^\| `(started|attempt|result|ended)` \| (.*) \|$", re.M)


def documented() -> dict[str, set[str]]:
    """`t` → the fields that the page names for it."""
    text = PAGE.read_text(encoding="utf-8")
    return {kind: {"v", "at", "t", "job", "run", *re.findall(r"`(\w+)`", fields)} for kind, fields in ROW.findall(text)}


def test_the_log_has_the_lines_and_the_fields_that_the_page_names(promptrun: Command, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    promptrun.ok(
        SPECS / "triage.yaml", "--simulate", "--limit", "3", "--output-dir", tmp_path / "out", "--log-file", log
    )
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["t"] for line in lines].count("attempt") == 3
    assert [line["t"] for line in lines].count("result") == 3
    assert (lines[0]["t"], lines[-1]["t"]) == ("started", "ended")
    assert {line["t"]: set(line) for line in lines} == documented()
    assert lines[-1]["exit_code"] == 0


def test_a_log_in_a_folder_that_is_not_there_sends_nothing(promptrun: Command, tmp_path: Path) -> None:
    done = promptrun(
        SPECS / "triage.yaml",
        "--simulate",
        "--output-dir",
        tmp_path / "out",
        "--log-file",
        tmp_path / "no" / "log.jsonl",
    )
    assert done.returncode == 74
    assert "cannot write the log file" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("env", "spans"), [({"OTEL_TRACES_EXPORTER": "console"}, 2), ({}, 0)])
def test_spans_come_only_when_the_environment_asks_for_them(
    env: dict[str, str], spans: int, process: Command, tmp_path: Path
) -> None:
    arguments = ("--simulate", "--limit", "2", "--quiet", "--output-dir", tmp_path / "out")
    done = process(SPECS / "triage.yaml", *arguments, env=env)
    assert done.returncode == 0
    assert done.stderr.count('"anthropic.messages.create"') == spans
    assert done.stderr.count('"promptrun.run"') == (1 if spans else 0)
    parents = set(re.findall(r'"parent_id": "(\w+)"', done.stderr))
    assert len(parents) == (1 if spans else 0)
    assert "Classify" not in done.stderr
