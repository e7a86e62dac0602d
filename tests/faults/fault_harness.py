"""Real processes to be killed: the command, a simulator of its own and its log, and what they leave on disk.

Knows promptrun by its command line and its files only: nothing here imports `runner`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
PROMPTRUN = (sys.executable, "-P", "-m", "runner.cli")
SECONDS = 120
"""How long anything may take before it is called hung."""
LOOK_AGAIN = 0.01
"""Seconds between two looks at a process that nobody can ask to call back."""

Json = dict[str, Any]


def clean_environment(home: Path, url: str | None = None) -> dict[str, str]:
    """This environment without what could steer promptrun or lend it credentials. url: whom to ask instead.

    What Python compiled it may keep, even where pytest may not: compiling `runner` takes each process 0.3 s.
    """
    kept = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(("ANTHROPIC_", "PROMPTRUN_"))
    }
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
        kept.pop(name.lower(), None)
    asked = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "not-a-real-key"} if url else {}
    homes = dict.fromkeys(("HOME", "USERPROFILE", "XDG_CONFIG_HOME"), str(home))
    return {**kept, **homes, **asked, "PYTHONUTF8": "1", "COLUMNS": "100"}


def until(condition: Callable[[], Any], *, alive: subprocess.Popen[Any]) -> bool:
    """Wait for the condition; False when the process ended first. Other processes' files and logs call nobody back."""
    give_up = time.monotonic() + SECONDS
    while not condition():
        if alive.poll() is not None:
            return False
        assert time.monotonic() < give_up, "neither did it happen nor did the process end"
        time.sleep(LOOK_AGAIN)
    return True


# ---------------------------------------------------------------- the simulator


@dataclass
class Simulator:
    """A `promptrun simulate` of its own, and what its log tells."""

    process: subprocess.Popen[str]
    url: str

    def log(self, after: int = 0) -> Json:
        """`entries`: the messages that arrived as the `after`+1st or later, in order of their end."""
        with urllib.request.urlopen(f"{self.url}/simulator/log?after={after}", timeout=SECONDS) as reply:
            log: Json = json.load(reply)
            return log

    def settled(self) -> list[Json]:
        """Every message asked for; nobody asks any more. The simulator sees a moment later that a client is gone."""
        until(lambda: (log := self.log(after=1 << 60))["arrived"] == log["messages"], alive=self.process)
        entries: list[Json] = self.log()["entries"]
        return entries

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=SECONDS)


def start_simulator(home: Path, *words: str, port: int = 0) -> Simulator:
    process = subprocess.Popen(
        [*PROMPTRUN, "simulate", "--port", str(port), "--log-size", "100000", *words],
        env=clean_environment(home),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert process.stdout is not None
    for line in process.stdout:
        if match := re.search(r"http://127\.0\.0\.1:\d+", line):
            return Simulator(process, match[0])
    raise AssertionError(f"the simulator named no address and ended with {process.wait()}")


@contextlib.contextmanager
def simulator(home: Path, *words: str) -> Iterator[Simulator]:
    started = start_simulator(home, *words)
    try:
        yield started
    finally:
        started.stop()


def is_good(entry: Json) -> bool:
    """Whether the simulator wrote a whole reply that promptrun can use, to its last byte."""
    return entry["outcome"] == "completed" and entry["fault"] in (None, "slow", "refusal")


# ---------------------------------------------------------------- the command


@dataclass(frozen=True)
class Job:
    """A spec and where its results go. What the command says is kept beside it."""

    spec: Path
    outputs: Path
    url: str

    @property
    def told(self) -> Path:
        return self.outputs.with_name(f"{self.outputs.name}-stderr.txt")

    def start(
        self, *words: str | Path, command: Sequence[str | Path] = PROMPTRUN, **options: Any
    ) -> subprocess.Popen[bytes]:
        """`promptrun SPEC`, left running. command: in the place of `promptrun`. What it says goes to a file."""
        with self.told.open("ab") as told:
            return subprocess.Popen(
                [*map(str, command), str(self.spec), "--output-dir", str(self.outputs), *map(str, words)],
                env=clean_environment(self.spec.parent, self.url),
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                **options,
            )

    def run(self, *words: str | Path, command: Sequence[str | Path] = PROMPTRUN) -> int:
        """The exit code of a run that is left alone."""
        return self.start(*words, command=command).wait(SECONDS)

    def finish(self) -> None:
        code = self.run()
        assert code == 0, f"it ended with {code}:\n{self.said()}"

    def said(self) -> str:
        return self.told.read_text(encoding="utf-8") if self.told.exists() else ""

    # ------------------------------------------------------------ what is on disk

    def folders(self) -> list[Path]:
        """The folders of its runs, the oldest first."""
        found = self.outputs.glob("*/*/run.json")
        return sorted({path.parent for path in found if not path.parent.is_symlink()})

    def folder(self) -> Path:
        """Of the only run there is to be."""
        (folder,) = self.folders()
        return folder

    def results(self) -> list[Json]:
        return whole_lines(self.folder() / "results.jsonl")

    def kept(self) -> set[str]:
        """The request ids of all replies that are on disk, in results or in the journal."""
        return {request_id for folder in self.folders() for request_id in kept_in(folder)}


def whole_lines(path: Path) -> list[Json]:
    """The objects of a .jsonl file; a last line that was torn by a kill is none."""
    if not path.exists():
        return []
    *lines, last = path.read_bytes().split(b"\n")
    with contextlib.suppress(ValueError):
        lines += [last] if last and json.loads(last) else []
    return [json.loads(line) for line in lines]


def read_json(path: Path) -> Json:
    content: Json = json.loads(path.read_bytes())
    return content


def kept_in(folder: Path) -> Iterator[str]:
    for result in whole_lines(folder / "results.jsonl"):
        yield from answered_calls(result["calls"])
    for line in whole_lines(folder / "journal.jsonl"):
        if line.get("t") == "reply":
            yield from answered_calls([line])


def answered_calls(calls: Sequence[Json]) -> Iterator[str]:
    """The request id under which each call got its reply."""
    for call in calls:
        if call["response"] is not None:
            yield call["attempts"][-1]["request_id"]


def comparable(results: Sequence[Json]) -> list[Json]:
    """Results without times, ids and attempts: what two runs of one job have in common.

    Without keys and what they are made of: they hold the address of the server, and each run has one of its own.
    """
    return [comparable_line(line) for line in results]


def comparable_line(line: Json) -> Json:
    calls = [{name: call[name] for name in ("for", "turn")} | {"said": said_in(call)} for call in line["calls"]]
    dropped = ("run", "key", "parts", "usage", "cost_usd", "billed_usd")
    kept = {name: value for name, value in line.items() if name not in dropped}
    return {**kept, "calls": calls, "cost": cost_of(line)}


def cost_of(line: Json) -> list[float] | None:
    """What the line was paid; None with a cached prefix, which a killed run asks for at other times."""
    usage = line["usage"] or {}
    if usage.get("cache_read_input_tokens") or usage.get("cache_creation_input_tokens"):
        return None
    return [usage.get("input_tokens"), usage.get("output_tokens"), line["cost_usd"], line["billed_usd"]]


def said_in(call: Json) -> Json | None:
    return call["response"] and {name: call["response"][name] for name in ("content", "stop_reason", "model")}
