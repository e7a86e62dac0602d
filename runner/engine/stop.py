"""Stopping a run from outside: politely once, at once the second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = "interrupted"


class Stop:
    """Shared by whoever stops runs (signals, deadlines) and the runs. Call its methods on the event loop's thread.

    It stays stopped: a run that starts later sends nothing. reason: why, the first one given; None while not stopped.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.at_once = False
        self._listeners: list[Callable[[], None]] = []

    def request(self, reason: str = INTERRUPTED) -> None:
        """Send nothing more; what is in flight is waited for and kept."""
        self.reason = self.reason or reason
        self._tell()

    def now(self) -> None:
        """Send nothing more and give up what is in flight (it may be billed)."""
        self.reason = self.reason or INTERRUPTED
        self.at_once = True
        self._tell()

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` at each stop while inside, and at once when stopped already."""
        self._listeners.append(listener)
        try:
            if self.reason is not None:
                listener()
            yield
        finally:
            self._listeners.remove(listener)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()
