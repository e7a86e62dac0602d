"""`run.max_cost` and `--max-cost` by the real command: what a server bills never passes the cap, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import SECONDS, Command, json_lines

INPUT, OUTPUT = 5.0, 25.0
"""What Claude Opus 4.8 costs, in US dollars per million tokens; it has no fallbacks."""
CAP = 1.0
ROWS = 400
KEY = {"ANTHROPIC_API_KEY": "any"}
SPEC = """\
name: {name}
model: claude-opus-4-8
max_tokens: 500
prompt: "Tell about {{{{ word }}}}. [[simulate:tokens={{{{ tokens }}}}]]"
inputs: {{file: rows.jsonl}}
prices:
  claude-opus-4-8: {{input: 5, output: 25, cache_read: 0.5, cache_write_5m: 6.25, cache_write_1h: 10}}
run:
  concurrency: 20
  request_timeout: 0.5
  retry: {{base: 0.01, cap: 0.05, max: 8}}
"""


def write(folder: Path, run: str = "", *, name: str = "talk", rows: int = ROWS) -> Path:
    """A job whose answers differ tenfold in length, and so in cost, while its requests are equally long.

    run: more lines under `run:`.
    """
    lines = [
        {"id": f"r{n:04}", "word": f"{n:04}", "tokens": f"{45 + 450 * (n * 7919 % rows) // rows:03}"}
        for n in range(rows)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    spec = folder / f"{name}.yaml"
    spec.write_text(SPEC.format(name=name) + run, encoding="utf-8")
    return spec


def billed(log: dict[str, Any]) -> float:
    """What an account would have paid for everything that the simulator answered; nothing is cached in these jobs."""
    assert log["cache_write_tokens"] == log["cache_read_tokens"] == 0
    return float(log["input_tokens"] * INPUT + log["output_tokens"] * OUTPUT) / 1e6


def booked(summary: dict[str, Any]) -> float:
    return float(summary["priced_usd"] + summary["maybe_billed_usd"])


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Looks at the server, not at the clock; the clock only ends a test that hangs."""
    end = time.monotonic() + SECONDS
    while not condition():
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended by itself: {process.wait(0.01)}")
        assert time.monotonic() < end, "the simulator was not asked"


@pytest.mark.skipif(os.name == "nt", reason="a process cannot be killed in mid-flight by a signal there")
def test_a_cap_is_a_wall_through_timeouts_and_a_kill(
    tmp_path: Path,
    promptrun: Command,
    simulator: Callable[..., str],
    simulator_log: Callable[[str], dict[str, Any]],
) -> None:
    url = simulator("--latency", "0.1", "--fault", "timeout", "--fault-rate", "0.2", "--seed", "4")
    spec = write(tmp_path, f"  max_cost: {CAP:g}\n")
    words = (spec, "--output-dir", tmp_path / "outputs", "--format", "json", "--quiet")
    env = {**KEY, "ANTHROPIC_BASE_URL": url}

    first = promptrun.start(*words, env=env)
    until(lambda: simulator_log(url)["messages"] >= 30, first)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=SECONDS)
    assert billed(simulator_log(url)) <= CAP

    second = promptrun(*words, env=env)
    assert second.returncode == 3, second.stderr
    assert "stopped at max_cost $1.00: " in second.stderr
    assert "Raise `run.max_cost` to $" in second.stderr
    (summary,) = json_lines(second.stdout)
    log = simulator_log(url)
    assert summary["continued"]
    assert summary["left"] > 0
    assert summary["limit"]["kind"] == "max_cost"
    assert log["faults"]["timeout"] > 10
    assert billed(log) <= booked(summary) <= CAP
    assert booked(summary) >= 0.95 * CAP
    assert summary["maybe_billed_attempts"] >= 10

    third = promptrun(*words, env={"ANTHROPIC_BASE_URL": url})  # nothing is sent, so no credentials are asked for
    assert third.returncode == 3, third.stderr
    assert simulator_log(url)["arrived"] == log["arrived"]

    fourth = promptrun(*words, "--set", "run.max_cost=50", env=env)
    assert fourth.returncode == 0, fourth.stderr
    (summary,) = json_lines(fourth.stdout)
    assert summary["run"] == json_lines(second.stdout)[0]["run"]
    assert billed(simulator_log(url)) <= booked(summary)
    assert (summary["good"], summary["max_cost_usd"], summary["limit"]) == (ROWS, 50.0, None)


def test_a_cap_that_is_not_reached_changes_nothing(
    tmp_path: Path, promptrun: Command, simulator: Callable[..., str], simulator_log: Callable[[str], dict[str, Any]]
) -> None:
    url = simulator("--latency", "0")
    done = promptrun(
        write(tmp_path, "  max_cost: 2\n", rows=30), "--output-dir", tmp_path / "outputs",
        env={**KEY, "ANTHROPIC_BASE_URL": url},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spent = billed(simulator_log(url))
    assert f"cost     ${spent:.2f} had it been real; ${2 - spent:.2f} left of max_cost $2.00" in done.stderr


def test_one_cap_over_several_specs_and_each_keeps_its_own(
    tmp_path: Path, promptrun: Command, simulator: Callable[..., str], simulator_log: Callable[[str], dict[str, Any]]
) -> None:
    url = simulator("--latency", "0")
    one = write(tmp_path, "  max_cost: 0.10\n", name="one", rows=100)
    two = write(tmp_path, name="two", rows=100)
    words = (one, two, "--output-dir", tmp_path / "outputs", "--format", "json", "--quiet")
    done = promptrun(*words, "--max-cost", "0.3", env={**KEY, "ANTHROPIC_BASE_URL": url})
    assert done.returncode == 3, done.stderr
    own, shared = json_lines(done.stdout)
    assert booked(own) <= 0.10
    assert booked(own) + booked(shared) <= 0.30
    assert billed(simulator_log(url)) == pytest.approx(booked(own) + booked(shared))
    assert "go on with as much money once more, or raise `--max-cost`" in done.stderr
    assert booked(own) + booked(shared) >= 0.90 * 0.30  # one of them may be the first to find too little left


def test_a_job_s_own_cap_stops_it_alone(tmp_path: Path, process: Command, simulator: Callable[..., str]) -> None:
    url = simulator("--latency", "0")
    one = write(tmp_path, "  max_cost: 0.10\n", name="one", rows=100)
    two = write(tmp_path, name="two", rows=100)
    words = (one, two, "--output-dir", tmp_path / "outputs", "--format", "json", "--quiet")
    done = process(*words, "--max-cost", "50", env={**KEY, "ANTHROPIC_BASE_URL": url})
    assert done.returncode == 3, done.stderr
    own, other = json_lines(done.stdout)
    assert booked(own) <= 0.10
    assert (own["limit"]["kind"], other["limit"], other["good"]) == ("max_cost", None, 100)
    assert "Raise `run.max_cost`" in done.stderr


def test_a_run_in_simulation_keeps_to_the_cap_too(tmp_path: Path, promptrun: Command) -> None:
    done = promptrun(write(tmp_path, "  max_cost: 0.1\n", rows=60), "--simulate", "--format", "json", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    (summary,) = json_lines(done.stdout)
    assert 0.08 < booked(summary) <= 0.1
    run = json.loads((Path(summary["folder"]) / "run.json").read_text(encoding="utf-8"))
    assert run["sittings"][-1]["limit"]["kind"] == "max_cost"
    assert run["sittings"][-1]["max_cost"] == 0.1


# ---------------------------------------------------------------- asking first


@pytest.fixture
def cautious(tmp_path: Path) -> Path:
    """A job that may cost more than what needs no question: 30 answers of 500 tokens at most are $0.38."""
    return write(tmp_path, "  confirm_above: 0.20\n", rows=30)


def test_without_a_terminal_a_dear_run_needs_a_word(cautious: Path, promptrun: Command) -> None:
    done = promptrun(cautious, "--output-dir", cautious.parent / "outputs", env=KEY)
    assert done.returncode == 2
    assert f"{cautious.name}:12:18: run.confirm_above: talk may cost up to $0." in done.stderr
    assert "`run.confirm_above` is $0.20; there is no terminal to ask on" in done.stderr
    assert "add `--yes`, or cap it with `--max-cost USD` or `run.max_cost`" in done.stderr
    assert not (cautious.parent / "outputs").exists()


@pytest.mark.parametrize("words", [["--yes"], ["--max-cost", "3"], ["--limit", "5"], ["--set", "run.max_cost=3"]])
def test_a_word_a_cap_or_a_smaller_plan_needs_no_question(
    words: list[str], cautious: Path, promptrun: Command, simulator: Callable[..., str]
) -> None:
    env = {**KEY, "ANTHROPIC_BASE_URL": simulator("--latency", "0")}
    done = promptrun(cautious, "--output-dir", cautious.parent / "outputs", *words, env=env)
    assert done.returncode == 0, done.stderr


def test_a_simulated_run_is_never_asked_about(cautious: Path, promptrun: Command) -> None:
    promptrun.ok(cautious, "--simulate", "--output-dir", cautious.parent / "outputs")


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize(("answer", "code"), [("n\n", 2), ("y\n", 0)])
def test_on_a_terminal_it_asks(
    answer: str, code: int, cautious: Path, promptrun: Command, simulator: Callable[..., str]
) -> None:
    import pty  # there is none on Windows

    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [*promptrun.start_with, str(cautious), "--output-dir", str(cautious.parent / "outputs")],
        env={**promptrun.environment, **KEY, "ANTHROPIC_BASE_URL": simulator("--latency", "0")},
        cwd=promptrun.cwd, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, timeout=SECONDS, check=False,
    )  # fmt: skip
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code, shown
    assert "talk may cost up to $0." in shown
    assert "Send it? [y/N]" in shown
