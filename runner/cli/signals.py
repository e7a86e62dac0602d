"""Ctrl-C and SIGTERM become requests to stop: once to finish what is in flight, twice to stop at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.cli.early import SIGNALS
from runner.timer import Timer

if TYPE_CHECKING:
    from runner.engine.live import Stop


@contextmanager
def stopping_on_signals(
    stop: Stop, say: Callable[[str], None], *, grace: float = 30.0
) -> Iterator[list[signal.Signals]]:
    """While inside, signals stop the run. Gives the list of signals that came.

    grace: seconds after SIGTERM that what is in flight may still arrive in; service managers kill soon after.
    """
    loop = asyncio.get_running_loop()
    came: list[signal.Signals] = []

    def handle(number: signal.Signals) -> None:
        came.append(number)
        if len(came) > 1:
            stop.now()
            return
        stop.request("terminated" if number == signal.SIGTERM else "interrupted")
        say("stopping: waiting for what is in flight. Once more to stop at once.")
        if number == signal.SIGTERM:
            Timer(grace, stop.now)

    # signal.signal works on every system; asyncio's own handlers do not exist on Windows.
    before = {
        number: signal.signal(number, lambda n, _frame: loop.call_soon_threadsafe(handle, signal.Signals(n)))
        for number in SIGNALS
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
