"""`--log-file`: one JSON line an attempt and a result, none of it a prompt; a log never stops a run."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.cli.log_file import LogFile
from runner.errors import OutputError
from runner.records import Attempt, AttemptEnded, Failure, Request, RequestDone, Result, Source

ROW = {"text": "secret plan"}
REQUEST = Request(4, "T-1", {}, 0, "k", "claude-haiku-5-5", 10, b'{"a":"secret plan"}', Source("x.csv", 2), ROW)
AT = "2026-11-22T09:00:00.000Z"
LIMITS = {"anthropic-ratelimit-requests-remaining": "7", "request-id": "req_1"}
OVERLOADED = Failure("overloaded", "Overloaded", 529, "overloaded_error")


def started() -> Any:
    plan = SimpleNamespace(job=SimpleNamespace(name="triage"), plan=SimpleNamespace(requests=9))
    return SimpleNamespace(planned=plan, answered=3, run="R1", folder=Path("R1"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_attempt_and_result_has_a_line_without_prompts_and_replies(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with LogFile(path) as log:
        observe = log.start(started())
        observe(AttemptEnded(REQUEST, Attempt(1, AT, 0.5, 529, failure=OVERLOADED), waiting=2.0))
        reply = Attempt(2, AT, 0.25, 200, "req_1", headers=LIMITS)
        observe(AttemptEnded(REQUEST, reply, call=1, usage={"input_tokens": 5}, cost_usd=0.01))
        observe(RequestDone(Result(REQUEST, "ok", text="secret reply", billed_usd=0.01)))
    first, failed, answered, result = lines(path)
    assert (first["t"], first["job"], first["run"], first["requests"], first["answered"]) == (
        "started", "triage", "R1", 9, 3,
    )  # fmt: skip
    assert (failed["failure"]["kind"], failed["retry_in"], failed["attempt"]) == ("overloaded", 2.0, 1)
    assert (answered["call"], answered["usage"], answered["cost_usd"]) == (1, {"input_tokens": 5}, 0.01)
    assert answered["limits"] == {"anthropic-ratelimit-requests-remaining": "7"}
    assert (result["status"], result["good"], result["billed_usd"]) == ("ok", True, 0.01)
    assert "secret" not in path.read_text(encoding="utf-8")


def test_lines_are_added_to_a_log_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for _ in range(2):
        with LogFile(path) as log:
            log.start(started())
    assert [line["t"] for line in lines(path)] == ["started", "started"]


def test_a_log_that_cannot_be_opened_stops_the_command_first(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the log file"):
        LogFile(tmp_path / "nowhere" / "log.jsonl")


class Full:
    """A file on a disk that is full."""

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_fails_later_says_so_once_and_lets_the_run_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with LogFile(tmp_path / "log.jsonl") as log:
        opened, log.file = log.file, Full()  # type: ignore[assignment]
        observe = log.start(started())
        observe(RequestDone(Result(REQUEST, "ok")))
        log.file = opened
    assert capsys.readouterr().err.count("the run goes on") == 1
