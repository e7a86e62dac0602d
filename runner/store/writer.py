"""Writing one run: a journal line before each attempt and after each failure, a result line per answer, all in order
at the end.

A line is with the operating system before the call returns, so that `kill -9` loses nothing anyone has heard of.
Nothing here decides what is sent; not safe for use by several threads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.models.summary import Summary
from runner.records import Attempt, Plan, Request, Result
from runner.store.files import AppendFile, Replace, from_json, to_json
from runner.store.finishing import Ending, finish_run
from runner.store.index import ANSWERED, NONE, ResultIndex, state_of
from runner.store.lock import JobLock
from runner.store.syncing import GroupedSync
from runner.store.times import Clock


class RunWriter:
    """An open run (the engine's Sink). Made by `open_run`; use it as a context manager, or call `close()`."""

    def __init__(
        self, folder: Path, *, run: dict[str, Any], plan: Plan, index: ResultIndex, lock: JobLock, clock: Clock
    ) -> None:
        self.folder = folder
        self.run = run
        self.plan = plan
        self.index = index
        self.clock = clock
        self.started = clock.now()
        self.journal = AppendFile(folder / "journal.jsonl")
        self.results = AppendFile(folder / "results.jsonl")
        self._sync: GroupedSync | None = GroupedSync((self.results, self.journal))
        self._lock: JobLock | None = lock

    @property
    def run_id(self) -> str:
        return str(self.run["run"])

    @property
    def continued(self) -> bool:
        """Whether an earlier sitting began this run."""
        return len(self.run["sittings"]) > 1

    @property
    def answered_count(self) -> int:
        return self.index.count(ANSWERED)

    def answered(self, n: int) -> bool:
        """Whether request n of the plan has an answer and must not be sent again."""
        return self.index.states[n] == ANSWERED

    def result_of(self, n: int) -> dict[str, Any] | None:
        """The newest result line of request n, None without one."""
        if self.index.states[n] == NONE:
            return None
        with self.results.path.open("rb") as file:
            file.seek(self.index.offsets[n])
            return from_json(file.readline())

    # ------------------------------------------------------------ while it runs

    def sent(self, request: Request, attempt: int, at: str, may_cost: float | None) -> None:
        """About to send attempt `attempt` (from 1). may_cost: US dollars it may cost at most, None when unknown."""
        line = {"v": 1, "t": "sent", "n": request.n, "id": request.id, "attempt": attempt, "at": at}
        self._journal(line | {"may_cost_usd": may_cost})

    def attempt_failed(self, request: Request, attempt: Attempt) -> None:
        line = {"v": 1, "t": "failure", "n": request.n, "id": request.id, "attempt": attempt.n}
        self._journal({**attempt.to_json(), **line})

    def done(self, result: Result) -> None:
        """The first thing done with a reply. Raises OutputError when it cannot be written."""
        self._write_result(result.to_json(job=self.run["job"], run=self.run_id))

    def write_reused(self, request: Request, first_n: int) -> bool:
        """Give a request the result of the identical request first_n; False when that one has none yet."""
        first = self.result_of(first_n)
        if first is None:
            return False
        own = {
            "n": request.n,
            "id": request.id,
            "cell": dict(request.cell),
            "repeat": request.repeat,
            "source": {"file": request.source.file, "line": request.source.line},
            "row": dict(request.row),
            "calls": [],
            "billed_usd": 0.0,
            "reused_from": {"run": first["run"], "n": first["n"], "id": first["id"]},
        }
        self._write_result(first | own)
        return True

    def _journal(self, line: Mapping[str, Any]) -> None:
        self.journal.append(to_json(line))
        self._wrote()

    def _write_result(self, record: dict[str, Any]) -> None:
        offset = self.results.append(to_json(record))
        self.index.note(record["n"], state_of(record), offset)
        self._wrote()

    def _wrote(self) -> None:
        if self._sync:
            self._sync.wrote()

    # ------------------------------------------------------------ the end

    def finish(self, *, end: str = "complete", replace: Replace = os.replace) -> Summary:
        """Put the results in order when all are there, write usage.json, run.json and `latest`; nothing is sent after.

        end: why the sitting ended, `complete`, `interrupted` or a failure's kind. replace: how a file takes another's
        place. Raises OutputError; results on disk stay as they are then.
        """
        self._close_files()
        ending = Ending(end=end, at=self.clock.utc(), seconds=self.clock.now() - self.started)
        return finish_run(self.folder, self.run, self.index, ending, replace=replace)

    def close(self) -> None:
        """Sync, let go of the files and the lock. Does no harm twice."""
        try:
            self._close_files()
        finally:
            if self._lock:
                self._lock.release()
                self._lock = None

    def _close_files(self) -> None:
        if self._sync is None:
            return
        sync, self._sync = self._sync, None
        try:
            sync.close()
        finally:
            self.journal.close()
            self.results.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
