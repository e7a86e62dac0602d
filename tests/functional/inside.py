"""The command and its simulator inside this process: what they say and do, without the seconds that starting takes.

Nothing in here is a stand-in: `main` and the simulator's server are the ones that a process would start.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import SECONDS, Command

READ_AT_START = ("PYTHON", "ANTHROPIC_LOG")
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


class Called(Command):
    """`promptrun` called in this process; `start` still starts one of its own."""

    def __call__(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        from runner.cli import main

        steering = [name for name, text in (env or {}).items() if text and name.startswith(READ_AT_START)]
        assert not steering, f"{steering} is read when a process starts: take the fixture `process`"
        words = [str(word) for word in arguments]
        with as_a_process(words, {**self.environment, **(env or {})}, cwd or self.cwd, stdin) as (stdout, stderr):
            try:
                main()
            except SystemExit as ended:
                code = ended.code
            said = [text.getvalue().decode("utf-8") for text in (stdout, stderr)]
        assert isinstance(code, int), f"{words} ended with {code!r}"
        return subprocess.CompletedProcess(words, code, *said)


@contextlib.contextmanager
def as_a_process(
    words: Sequence[str], environment: Mapping[str, str], cwd: Path, stdin: str
) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Inside, what belongs to a process is that of `promptrun WORDS…`; then as it was. Gives its two outputs."""
    given, *told = io.BytesIO(stdin.encode("utf-8")), io.BytesIO(), io.BytesIO()
    streams = [io.TextIOWrapper(text, "utf-8", newline="\n", write_through=True) for text in (given, *told)]
    before = (sys.argv, dict(os.environ), Path.cwd(), (sys.stdin, sys.stdout, sys.stderr))
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    faulthandler.dump_traceback_later(SECONDS, exit=True, file=sys.__stderr__)  # as a hung process would be ended
    try:
        become(["promptrun", *words], environment, cwd, streams)
        yield told[0], told[1]
    finally:
        faulthandler.cancel_dump_traceback_later()
        become(*before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def become(argv: list[str], environment: Mapping[str, str], cwd: Path, streams: Sequence[Any]) -> None:
    sys.argv = argv
    sys.stdin, sys.stdout, sys.stderr = streams
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)


@contextlib.contextmanager
def simulating(*words: str) -> Iterator[str]:
    """A simulator with the options of `promptrun simulate WORDS…` in a thread; its URL."""
    from runner.cli.simulate import changing, command, configured
    from runner.simulator import Simulator

    options = command.make_context("simulate", list(words)).params
    options["limit_change"] = changing(options["limit_change"])
    port, burst, faults = (options.pop(name) for name in ("port", "burst", "faults"))
    simulator, loop = Simulator(configured(burst, faults, options)), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(simulator.start(port=port), loop).result(SECONDS)
    finally:
        asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result(SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
