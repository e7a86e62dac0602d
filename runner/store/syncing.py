"""Making appended lines durable: one background thread syncs the files, at most a second after a line was written."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from runner.store.files import AppendFile, cannot_write


class GroupedSync:
    """Call `wrote()` after each line. A sync that fails is raised by the next `wrote()` or by `close()`."""

    def __init__(self, files: Sequence[AppendFile], *, interval: float = 1.0) -> None:
        self.files = files
        self.interval = interval
        self.failed: tuple[AppendFile, OSError] | None = None
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="promptrun-sync", daemon=True)
        self._thread.start()

    def wrote(self) -> None:
        if not self._dirty.is_set():
            self._dirty.set()
        self._raise_failure()

    def close(self) -> None:
        """Sync once more and end the thread; the files stay open. Raises OutputError."""
        self._stop.set()
        self._dirty.set()
        self._thread.join()
        self._raise_failure()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._dirty.wait()
            self._dirty.clear()
            self._sync()
            self._stop.wait(self.interval)
        self._sync()

    def _sync(self) -> None:
        for file in self.files:
            try:
                file.sync()
            except OSError as error:
                self.failed = (file, error)

    def _raise_failure(self) -> None:
        if self.failed:
            file, error = self.failed
            raise cannot_write(file.path, error) from error
