"""The real command in a clean environment, and a server that is not the simulator.

Functional tests know promptrun by its command line and its files only: nothing here imports `runner`. A process takes
one to three seconds of CPU, nearly all of it imports, so most tests call the command in theirs (`inside.Called`).
What only a process can show has one: signals, locks, terminals, start-up, each command and each exit code once.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SPECS = CHECKOUT / "specs"
SECONDS = 120
"""How long one command may take before the test is called hung."""


def clean_environment(home: Path) -> dict[str, str]:
    """This environment without what could steer promptrun or lend it credentials.

    What Python compiled it may keep, even where pytest may not: compiling `runner` takes each process 0.3 s.
    """
    kept = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(("ANTHROPIC_", "PROMPTRUN_"))
    }
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
        kept.pop(name.lower(), None)
    homes = dict.fromkeys(("HOME", "USERPROFILE", "XDG_CONFIG_HOME"), str(home))
    return {**kept, **homes, "PYTHONUTF8": "1", "COLUMNS": "100"}


@dataclass(frozen=True)
class Command:
    """`promptrun`, as a user's shell would start it: a process each time."""

    environment: dict[str, str] = field(repr=False)  # a failing test must not print it
    cwd: Path = CHECKOUT
    start_with: tuple[str, ...] = (sys.executable, "-P", "-m", "runner.cli")

    def __call__(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.start_with, *map(str, arguments)],
            env={**self.environment, **(env or {})},
            cwd=cwd or self.cwd,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Left running; the caller waits for it. Its own process group, so that a signal reaches it alone."""
        return subprocess.Popen(
            [*self.start_with, *map(str, arguments)],
            env={**self.environment, **(env or {})},
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def ok(self, *arguments: str | Path, **options: Any) -> str:
        """The standard output of a command that has to end well."""
        done = self(*arguments, **options)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stderr}\n{done.stdout}"
        return done.stdout


def first_url(server: subprocess.Popen[str]) -> str:
    """The address that a starting simulator prints."""
    assert server.stdout is not None
    for line in server.stdout:
        if match := re.search(r"http://127\.0\.0\.1:\d+", line):
            return match[0]
    raise AssertionError(f"the simulator named no address: {server.communicate()}")


# ---------------------------------------------------------------- files


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def write_job(folder: Path, rows: Sequence[Mapping[str, Any]], *, name: str = "job", extra: str = "") -> Path:
    """A job with these rows in `<folder>/<name>.yaml`, its prompt the column `word`. extra: more YAML."""
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    spec = folder / f"{name}.yaml"
    spec.write_text(
        f"version: 1\nname: {name}\nmodel: claude-haiku-5-5\nmax_tokens: 64\n"
        f"prompt: 'Say {{{{ word }}}}'\ninputs:\n  file: {name}.jsonl\n{extra}",
        encoding="utf-8",
    )
    return spec


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"id": f"r{n:04}", "word": f"word {n}"} for n in range(count)]


# ---------------------------------------------------------------- a server that is not the simulator

Answer = tuple[int, Mapping[str, str], bytes]
Behaviour = Callable[["HandServer", dict[str, Any], int], Answer]


def message(body: Mapping[str, Any], text: str = "Hello from another server.") -> Answer:
    """A Message as the documentation shows it: https://platform.claude.com/docs/en/api/messages/create"""
    reply = {
        "id": "msg_hand_written",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 6},
    }
    return 200, {"request-id": "req_hand_written"}, json.dumps(reply).encode()


def error(status: int, kind: str, text: str, **headers: str) -> Answer:
    """https://platform.claude.com/docs/en/api/errors"""
    return status, headers, json.dumps({"type": "error", "error": {"type": kind, "message": text}}).encode()


@dataclass
class HandServer:
    """Answers POST /v1/messages on loopback with what `behaviour` says; remembers every body it was sent."""

    behaviour: Behaviour = lambda server, body, n: message(body)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        with self.arrived:
            self.bodies.append(body)
            self.headers.append(headers)
            number = len(self.bodies)
            self.arrived.notify_all()
        return self.behaviour(self, body, number)

    def wait_for(self, count: int, client: subprocess.Popen[str]) -> None:
        """Returns once so many requests have arrived; fails when the client ends before that."""
        with self.arrived:
            while len(self.bodies) < count:
                self.arrived.wait(1)
                assert client.poll() is None, f"only {len(self.bodies)} came: {client.communicate()}"

    def environment(self) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": "not-a-real-key"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: HandServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, headers, content = self.owner.take(body, {name.lower(): text for name, text in self.headers.items()})
        self.send_response(status)
        for name, text in {"content-type": "application/json", **headers}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: what arrived is in `bodies`."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""
