"""Writing one run: a journal line before each attempt and after each failure, a result line per answer, all in order
at the end.

A line is with the operating system before the call returns, so that `kill -9` loses nothing anyone has heard of.
Nothing here decides what is sent; not safe for use by several threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.errors import OutputError
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.resume import Resume, Spent
from runner.models.summary import Summary
from runner.records import Call, Judgement, PaceState, Plan, Request, Result
from runner.spec.job import Keep
from runner.store.files import Replace, from_json, write_whole
from runner.store.finishing import Ending, finish_run
from runner.store.index import ANSWERED, NONE, ResultIndex
from runner.store.journal import Journal
from runner.store.keeping import kept_record
from runner.store.lock import JobLock
from runner.store.replies import ReplyIndex
from runner.store.reused import reused_line
from runner.store.times import Clock


class RunWriter(Journal):
    """An open run (the engine's Sink). Made by `open_run`; use it as a context manager, or call `close()`."""

    def __init__(
        self,
        folder: Path,
        *,
        run: dict[str, Any],
        plan: Plan,
        index: ResultIndex,
        replies: ReplyIndex,
        spent: Spent,
        was: bytes | None,
        lock: JobLock,
        clock: Clock,
        prices: PriceTable = LIST_PRICES,
        keep: Keep = Keep(),  # noqa: B008 (frozen: it cannot change)
        strict: bool = False,
    ) -> None:
        super().__init__(folder, plan.requests, strict=strict)
        self.folder = folder
        self.run = run
        self.plan = plan
        self.index = index
        self.replies = replies
        self.clock = clock
        self.prices = prices
        self.keep = keep
        self.started = clock.now()
        self.answered_before = index.count(ANSWERED)
        self.reused = 0
        self._lock: JobLock | None = lock
        self._spent = spent
        self._was = was

    @property
    def run_id(self) -> str:
        return str(self.run["run"])

    @property
    def continued(self) -> bool:
        """Whether an earlier sitting began this run."""
        return len(self.run["sittings"]) > 1

    @property
    def fresh(self) -> bool:
        """Whether the run was begun to have everything answered anew."""
        return bool(self.run.get("fresh"))

    @property
    def answered_count(self) -> int:
        return self.index.count(ANSWERED)

    def answered(self, n: int) -> bool:
        """Whether request n of the plan has an answer and must not be sent again."""
        return self.index.states[n] == ANSWERED

    def has_result(self, n: int) -> bool:
        """Whether request n has a result, be it a failure."""
        return self.index.states[n] != NONE

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

    def spent(self) -> Spent:
        """What earlier sittings of this run have spent, as it was when the run was opened."""
        return self._spent

    def withdraw(self) -> None:
        """Nothing could be sent: run.json is again as the sitting before left it, unless this one wrote results."""
        if self._was is not None and not self.reused:
            write_whole(self.folder / "run.json", self._was)

    def resume(self, to_send: int, failed: int) -> Resume:
        """What the run has behind it, for a word on how it goes on. to_send, failed: as in `Resume`."""
        return Resume(
            total=self.plan.requests,
            answered=self.answered_before,
            reused=self.reused,
            to_send=to_send,
            failed=failed,
            continued=self.continued,
            simulated=self.run["simulated"],
            spent=self.spent(),
        )

    def add_notes(self, notes: Iterable[str]) -> None:
        """For people, in run.json and the summary; each once."""
        self.run["notes"] += [note for note in notes if note not in self.run["notes"]]

    # ------------------------------------------------------------ while it runs

    def done(self, result: Result) -> None:
        """The first thing done with a reply. Raises OutputError when it cannot be written."""
        self._write_result(result.to_json(job=self.run["job"], run=self.run_id))

    def write_identical(self, request: Request, first_n: int) -> bool:
        """Give a request the result of the identical request first_n; False when that one has none yet."""
        first = self.result_of(first_n)
        if first is not None:
            self.write_reused(request, first)
        return first is not None

    def write_reused(self, request: Request, answer: Mapping[str, Any], verdict: Judgement | None = None) -> None:
        """Give a request an answer that is known. answer, verdict: as in `reused_line`. Raises OutputError."""
        self.reused += 1
        self._write_result(reused_line(request, answer, verdict, job=self.run["job"], run=self.run_id))

    def _write_result(self, record: dict[str, Any]) -> None:
        self.index.add(record, self._append(self.results, kept_record(record, self.keep), holds_reply=True))

    # ------------------------------------------------------------ the end

    def finish(
        self,
        *,
        end: str = "complete",
        cache_audit: Sequence[Mapping[str, Any]] = (),
        pace: Sequence[PaceState] = (),
        limit: Mapping[str, Any] | None = None,
        max_cost: float | None = None,
        replace: Replace = os.replace,
    ) -> Summary:
        """Put the results in order when all are there, write usage.json, run.json and `latest`; nothing is sent after.

        end: why the sitting ended, `complete`, `interrupted` or a failure's kind. cache_audit: as in `Ending`.
        pace: how fast each model was asked at the end. limit: the limit of the user's that ended it, `{kind, what}`.
        max_cost: the cap in US dollars. replace: how a file takes another's place.
        Raises OutputError; results on disk stay as they are then.
        """
        self._close_files()
        sitting = {
            "sent": sum(self._sent),
            "reused": self.reused,
            "limit": dict(limit) if limit else None,
            "max_cost": max_cost,
            "pace": [state.to_json() for state in pace],
        }
        seconds = self.clock.now() - self.started
        ending = Ending(end, self.clock.utc(), seconds, cache_audit, self.prices, sitting, self.keep)
        return finish_run(self.folder, self.run, self.index, ending, replace=replace)

    def close(self) -> None:
        """Sync, let go of the files and the lock. Does no harm twice."""
        try:
            self._close_files()
        finally:
            if self._lock:
                self._lock.release()
                self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(OutputError):  # what went wrong first is what people have to know
                self.close()
