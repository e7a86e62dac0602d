"""Fixtures of the functional tests; what they hand out is in harness.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import (
    CHECKOUT,
    SECONDS,
    SPECS,
    Command,
    Handler,
    HandServer,
    QuietServer,
    clean_environment,
    first_url,
)


@pytest.fixture(scope="session")
def promptrun(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(clean_environment(tmp_path_factory.mktemp("home")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the example specs, and of what they read, in a project of its own for tests that write into it."""
    shutil.copytree(SPECS, tmp_path / "specs")
    shutil.copytree(CHECKOUT / "runner", tmp_path / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CHECKOUT / "schemas", tmp_path / "schemas")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".gitignore").write_text("*\n!.gitignore\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def hand_server() -> Iterator[HandServer]:
    server = HandServer()
    listener = QuietServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"owner": server}))
    server.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield server
    server.released.set()
    listener.shutdown()
    listener.server_close()
    thread.join()


@pytest.fixture
def simulator(promptrun: Command) -> Iterator[Callable[..., str]]:
    """Starts `promptrun simulate` with these words, gives its URL, and ends it after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> str:
        process = promptrun.start("simulate", "--port", "0", *words)
        started.append(process)
        return first_url(process)

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=SECONDS)


@pytest.fixture
def simulator_log() -> Callable[[str], dict[str, Any]]:
    """What the simulator at this URL was asked and answered."""

    def read(url: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{url}/simulator/log", timeout=SECONDS) as reply:
            log: dict[str, Any] = json.load(reply)
            return log

    return read
