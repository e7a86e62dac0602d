"""Fixtures of the functional tests; what they hand out is in harness.py."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
)
from inside import Called, simulating


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """`promptrun` in a process of its own each time."""
    return Command(clean_environment(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def promptrun(process: Command) -> Command:
    """`promptrun` called in this process: a tenth of the work. `promptrun.start` starts one of its own."""
    return Called(process.environment)


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
def simulator() -> Iterator[Callable[..., str]]:
    """Starts what `promptrun simulate` with these words serves, gives its URL, and ends it after the test."""
    with ExitStack() as started:
        yield lambda *words: started.enter_context(simulating("--port", "0", *words))


@pytest.fixture
def simulator_log() -> Callable[[str], dict[str, Any]]:
    """What the simulator at this URL was asked and answered."""

    def read(url: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{url}/simulator/log", timeout=SECONDS) as reply:
            log: dict[str, Any] = json.load(reply)
            return log

    return read
