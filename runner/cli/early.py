"""What a signal does while Python is still importing: nothing is read or written yet, so the process just ends.

Imports next to nothing: it is the first thing that a command runs.
"""

from __future__ import annotations

import os
import signal

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
"""Ctrl-C, what service managers send, and Ctrl-Break on Windows."""


def ending_at_once() -> None:
    """From now on these signals end the process with a word and their exit code, without any cleaning up.

    One that whoever started us wants to be ignored (a job in the background of a script) stays ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            try:
                signal.signal(number, _end)
            except ValueError:  # not the main thread: then it is not our process either
                return


def _end(number: int, frame: object) -> None:
    try:
        os.write(2, b"interrupted\n")
    finally:  # whether anybody hears it or not
        os._exit(EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED)
