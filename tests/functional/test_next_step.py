"""However a command ends early: what its last line says to type goes on, and pays for nothing twice."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from harness import SECONDS, Command, HandServer, error, message, numbered, write_job

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that a test can send to one process")
TYPED = re.compile(r"^next +`promptrun (.+?)` (.*): it goes on with the (\d+) requests? left", re.MULTILINE)
ENDS = {
    "busy": (75, error(529, "overloaded_error", "Overloaded")),
    "key": (4, error(401, "authentication_error", "invalid x-api-key")),
    "deadline": (3, error(429, "rate_limit_error", "slow down", **{"retry-after": "3600"})),
}
RUN = "vars: {tone: kind}\nrun: {concurrency: 1, deadline: 60s, retry: {max: 0}}\n"


def words(told: str) -> list[str]:
    """What the last line of a summary says to type, without `promptrun`."""
    found = TYPED.search(told)
    assert found, told
    return shlex.split(found[1])


class Answering:
    """Answers, but for a time gives `bad` from the nth request on. answered: how often each prompt was."""

    def __init__(self, server: HandServer, bad: Any, after: int = 2) -> None:
        self.bad, self.after = bad, after
        self.answered: Counter[str] = Counter()
        server.behaviour = self

    def __call__(self, server: HandServer, body: dict[str, Any], n: int) -> Any:
        if self.bad is not None and n > self.after:
            return self.bad
        self.answered[str(body["messages"])] += 1
        return message(body)

    def only_once(self, count: int) -> None:
        assert (len(self.answered), set(self.answered.values())) == (count, {1})


@pytest.mark.parametrize(
    ("end", "flags", "rows"),
    [
        ("busy", ["--shard", "1/2", "--limit", "9"], 5),
        ("busy", ["--fresh", "--quiet"], 9),
        ("key", ["--only", "r0001", "--only", "#3", "--only", "L7", "--var", "tone=very kind"], 3),
        ("deadline", ["--set", "run.confirm_above=0.000001", "--yes", "--max-cost", "1.5"], 9),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_run(
    end: str, flags: Sequence[str], rows: int, promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    code, bad = ENDS[end]
    answering = Answering(hand_server, bad)
    spec = write_job(tmp_path, numbered(9), extra=RUN)
    env = hand_server.environment()
    done = promptrun(spec, *flags, "--output-dir", tmp_path / "my results", env=env)
    assert done.returncode == code, done.stderr
    typed = words(done.stderr)
    assert "--fresh" not in typed
    answering.bad = None
    again = promptrun(*typed, env=env)
    assert again.returncode == 0, again.stderr
    answering.only_once(rows)


def test_several_jobs(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    code, bad = ENDS["busy"]
    answering = Answering(hand_server, bad)
    specs = [write_job(tmp_path, numbered(3), name=name, extra=RUN) for name in ("one", "two")]
    two = specs[1].read_text(encoding="utf-8").replace("Say {{ word }}", "Say twice {{ word }}")
    specs[1].write_text(two, encoding="utf-8")
    env = hand_server.environment()
    done = promptrun(*specs, "--output-dir", tmp_path / "out", env=env)
    assert done.returncode == code, done.stderr
    answering.bad = None
    assert promptrun(*words(done.stderr), env=env).returncode == 0
    answering.only_once(6)


def test_rows_on_standard_input(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    code, bad = ENDS["busy"]
    answering = Answering(hand_server, bad)
    spec = write_job(tmp_path, [], extra=f"  format: jsonl\n{RUN}")
    spec.write_text(spec.read_text(encoding="utf-8").replace("job.jsonl", "'-'"), encoding="utf-8")
    rows = '{"id": "a", "word": "x"}\n{"id": "b", "word": "y"}\n{"id": "c", "word": "z"}\n'
    env = hand_server.environment()
    done = promptrun(spec, "--output-dir", tmp_path / "out", env=env, stdin=rows)
    assert done.returncode == code, done.stderr
    assert "` again with the same standard input: it goes on" in done.stderr
    answering.bad = None
    assert promptrun(*words(done.stderr), env=env, stdin=rows).returncode == 0
    answering.only_once(3)


def test_a_retry(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    """`job@1` is another run as soon as the retry has begun, and the flags are the retry's own."""
    answering = Answering(hand_server, error(400, "invalid_request_error", "no"), after=0)
    spec = write_job(tmp_path, numbered(6), extra=RUN)
    env, out = hand_server.environment(), ("--output-dir", tmp_path / "out")
    assert promptrun(spec, *out, env=env).returncode == 1
    answering.bad, answering.after = ENDS["busy"][1], len(hand_server.bodies) + 2
    done = promptrun("retry", "job@1", "--max-cost", "2", "--quiet", *out, env=env)
    assert done.returncode == 75, done.stderr
    assert shlex.split("--max-cost 2 --output-dir")[:3] == words(done.stderr)[2:5]
    answering.bad = None
    assert promptrun(*words(done.stderr), env=env).returncode == 0
    answering.only_once(6)


@pytest.mark.parametrize(
    ("run", "flags", "retry"),
    [
        ("max_cost: 0.00005", [], False),
        ("max_cost: {usd: 0.00005, best_effort: true}", [], True),
        ("concurrency: 1", ["--set", "run.max_cost=0.00005"], False),
        ("concurrency: 1", ["--set", "run.max_cost=0.00005"], True),
        ("concurrency: 1", ["--max-cost", "0.00005"], True),
    ],
)
def test_a_cap_that_is_spent(
    run: str, flags: Sequence[str], retry: bool, promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    answering = Answering(hand_server, error(400, "invalid_request_error", "no") if retry else None, after=0)
    spec = write_job(tmp_path, numbered(6), extra=f"run: {{{run}}}\n")
    env, out = hand_server.environment(), ("--output-dir", tmp_path / "out")
    start: Sequence[str | Path] = [spec]
    if retry:
        assert promptrun(spec, *out, env=env).returncode == 1
        answering.bad, start = None, ["retry", "job@latest"]
    done = promptrun(*start, *flags, *out, env=env)
    assert done.returncode == 3, done.stderr
    for _ in range(6):
        asked = len(hand_server.bodies)
        done = promptrun(*words(done.stderr), env=env)
        assert len(hand_server.bodies) > asked, done.stderr
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    answering.only_once(6)


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal(
    number: signal.Signals, code: int, promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    """What failed for good before it is asked again as well, and counted: only answers are not."""
    answered: Counter[str] = Counter()

    def behave(server: HandServer, body: dict[str, Any], n: int) -> Any:
        if n == 1:
            return error(400, "invalid_request_error", "not yet")
        if n > 2:
            server.released.wait(SECONDS)
        answered[str(body["messages"])] += 1
        return message(body)

    hand_server.behaviour = behave
    spec = write_job(tmp_path, numbered(5), extra="run: {concurrency: 1}\n")
    env = hand_server.environment()
    run = promptrun.start(spec, "--fresh", "--quiet", "--output-dir", tmp_path / "out", env=env)
    hand_server.wait_for(3, run)
    run.send_signal(number)
    said = stops(run)
    hand_server.released.set()
    told = said + run.communicate(timeout=SECONDS)[1]
    assert run.returncode == code, told
    assert "with the 3 requests left (1 of them failed) and pays for no answer twice" in told
    again = promptrun(*(word for word in words(told) if word != "--quiet"), env=env)
    assert again.returncode == 0, again.stderr
    assert "2 of 5 are answered, 3 to send (1 of them failed before)" in again.stderr
    assert (len(answered), set(answered.values()), len(hand_server.bodies)) == (5, {1}, 6)


def stops(run: subprocess.Popen[str]) -> str:
    """What the run says, up to the line in which it says that it heard the signal."""
    assert run.stderr is not None
    said = ""
    for line in run.stderr:
        said += line
        if "in flight" in line:
            return said
    raise AssertionError(f"the run ended with {run.wait()}: {said}")


def test_a_simulated_run(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(4))
    done = promptrun(
        spec, "--simulate", "--set", "run.max_cost=0.0001", "--output-dir", tmp_path / "my results", cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr
    typed = words(done.stderr)
    assert promptrun(*typed[:-4], *typed[-2:], cwd=tmp_path).returncode == 0, "without the cap it ends"
    show = re.search(r"^next +promptrun (show .+)$", promptrun(*typed[:-4], *typed[-2:]).stderr, re.MULTILINE)
    assert show
    assert promptrun(*shlex.split(show[1]), cwd=tmp_path).returncode == 0
