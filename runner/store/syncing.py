"""Making appended lines durable: one background thread syncs the files, at most a second after a line was written."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.store.files import AppendFile, cannot_write

if TYPE_CHECKING:
    from concurrent.futures import Future


class GroupedSync:
    """Call `wrote()` after each line. A sync that fails is raised by the next `wrote()` or by `close()`.

    interval: seconds between two syncs. With 0, whoever wants a line on the disk before going on waits for `durable()`:
    all that is written during one sync shares the next.
    """

    def __init__(self, files: Sequence[AppendFile], *, interval: float = 1.0) -> None:
        self.files = files
        self.interval = interval
        self.failed: tuple[AppendFile, OSError] | None = None
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._waiting: list[Future[None]] = []
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="promptrun-sync", daemon=True)
        self._thread.start()

    def wrote(self) -> None:
        if not self._dirty.is_set():
            self._dirty.set()
        self._raise_failure()

    def durable(self) -> Future[None]:
        """Done once everything written before is on the disk. It never fails: `wrote` and `close` tell that."""
        from concurrent.futures import Future

        future: Future[None] = Future()
        with self._guard:
            self._waiting.append(future)
        self._dirty.set()
        return future

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
        with self._guard:
            waiting, self._waiting = self._waiting, []
        self._sync_files()
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _sync_files(self) -> None:
        for file in self.files:
            try:
                file.sync()
            except OSError as error:
                self.failed = (file, error)

    def _raise_failure(self) -> None:
        if self.failed:
            file, error = self.failed
            raise cannot_write(file.path, error) from error
