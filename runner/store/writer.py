"""Writing one run: a journal line before each attempt and after each failure, a result line per answer, all in order
at the end.

A line is with the operating system before the call returns, so that `kill -9` loses nothing anyone has heard of.
Nothing here decides what is sent; not safe for use by several threads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.summary import Summary
from runner.records import AttachedFile, Attempt, Call, Plan, Request, Result
from runner.store.files import AppendFile, Replace, from_json, to_json
from runner.store.finishing import Ending, finish_run
from runner.store.index import ANSWERED, NONE, ResultIndex, state_of
from runner.store.lock import JobLock
from runner.store.replies import ReplyIndex, reply_line
from runner.store.syncing import GroupedSync
from runner.store.times import Clock
from runner.store.uploads import upload_line, uploaded_ids


class RunWriter:
    """An open run (the engine's Sink). Made by `open_run`; use it as a context manager, or call `close()`."""

    def __init__(
        self,
        folder: Path,
        *,
        run: dict[str, Any],
        plan: Plan,
        index: ResultIndex,
        replies: ReplyIndex,
        lock: JobLock,
        clock: Clock,
        prices: PriceTable = LIST_PRICES,
    ) -> None:
        self.folder = folder
        self.run = run
        self.plan = plan
        self.index = index
        self.replies = replies
        self.clock = clock
        self.prices = prices
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

    def replies_of(self, n: int) -> list[Call]:
        """The calls of request n that earlier sittings got an answer to, when it has no answered result."""
        return self.replies.calls(n, self.journal.path)

    # ------------------------------------------------------------ while it runs

    def sent(self, request: Request, attempt: int, at: str, may_cost: float | None, call: int = 0) -> None:
        """About to send attempt `attempt` (from 1) of a call (from 0).

        may_cost: US dollars it may cost at most, None when unknown.
        """
        line = {"v": 1, "t": "sent", "n": request.n, "id": request.id, "call": call, "attempt": attempt, "at": at}
        self._journal(line | {"may_cost_usd": may_cost})

    def attempt_failed(self, request: Request, attempt: Attempt, call: int = 0) -> None:
        line = {"v": 1, "t": "failure", "n": request.n, "id": request.id, "call": call, "attempt": attempt.n}
        self._journal({**attempt.to_json(), **line})

    def replied(self, request: Request, answer: Call, call: int) -> None:
        """The first thing done with a reply that no answered result holds. Raises OutputError."""
        self._journal(reply_line(request, answer, call))

    def uploaded(self, file: AttachedFile, id: str) -> None:
        """A file has an id now; later sittings of this run use it too."""
        self._journal(upload_line(file, id))

    def file_ids(self) -> dict[str, str]:
        """sha256 → id of the files that earlier sittings uploaded."""
        return uploaded_ids(self.journal.path)

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

    def finish(
        self, *, end: str = "complete", cache_audit: Sequence[Mapping[str, Any]] = (), replace: Replace = os.replace
    ) -> Summary:
        """Put the results in order when all are there, write usage.json, run.json and `latest`; nothing is sent after.

        end: why the sitting ended, `complete`, `interrupted` or a failure's kind. cache_audit: as in `Ending`.
        replace: how a file takes another's place. Raises OutputError; results on disk stay as they are then.
        """
        self._close_files()
        seconds = self.clock.now() - self.started
        ending = Ending(end, at=self.clock.utc(), seconds=seconds, cache_audit=cache_audit, prices=self.prices)
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
