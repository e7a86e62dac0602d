"""What happens to a run's requests, a line each in journal.jsonl, with the operating system before the call returns.

Owns both files that grow while a run is sent, and makes them durable. Decides nothing; not safe for several threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import OutputError
from runner.records import AttachedFile, Attempt, Call, Failure, Request
from runner.store.files import AppendFile, to_json
from runner.store.overhead import overhead_line, overhead_sent_line
from runner.store.replies import reply_line
from runner.store.syncing import GroupedSync
from runner.store.uploads import upload_line, uploaded_ids

SYNC_EVERY_SECONDS = 1.0


class Journal:
    """The part of a `RunWriter` that hears of attempts. strict: `settled` waits for the disk.

    unwritten: lines that hold replies and could not be written.
    """

    def __init__(self, folder: Path, plan_requests: int, *, strict: bool) -> None:
        self.strict = strict
        self.unwritten: list[bytes] = []
        self.journal = AppendFile(folder / "journal.jsonl")
        self.results = AppendFile(folder / "results.jsonl")
        self._sync: GroupedSync | None = GroupedSync(
            (self.results, self.journal), interval=0.0 if strict else SYNC_EVERY_SECONDS
        )
        self._sent = bytearray(plan_requests)

    def sent(self, request: Request, attempt: int, at: str, may_cost: float | None, call: int = 0) -> None:
        """About to send attempt `attempt` (from 1) of a call (from 0).

        may_cost: US dollars it may cost at most, None when unknown.
        """
        self._sent[request.n] = 1
        line = {"v": 1, "t": "sent", "n": request.n, "id": request.id, "call": call, "attempt": attempt, "at": at}
        self._journal(line | {"may_cost_usd": may_cost})

    def attempt_failed(self, request: Request, attempt: Attempt, call: int = 0) -> None:
        line = {"v": 1, "t": "failure", "n": request.n, "id": request.id, "call": call, "attempt": attempt.n}
        self._journal({**attempt.to_json(), **line})

    def replied(self, request: Request, answer: Call, call: int) -> None:
        """The first thing done with a reply that no answered result holds. Raises OutputError."""
        self._append(self.journal, reply_line(request, answer, call), holds_reply=True)

    def overhead_sent(self, prefix: str, request: Request, at: str, may_cost: float | None) -> None:
        """About to warm a prefix up. may_cost: as in `sent`."""
        self._journal(overhead_sent_line(prefix, request, at, may_cost))

    def overhead(self, prefix: str, request: Request, call: Call | None, failure: Failure | None) -> None:
        """How warming a prefix up ended; one of the two is None. Raises OutputError."""
        self._journal(overhead_line(prefix, request, call, failure))

    def uploaded(self, file: AttachedFile, id: str) -> None:
        """A file has an id now; later sittings of this run use it too."""
        self._journal(upload_line(file, id))

    def file_ids(self) -> dict[str, str]:
        """sha256 → id of the files that earlier sittings uploaded."""
        return uploaded_ids(self.journal.path)

    def _journal(self, line: Mapping[str, Any]) -> None:
        self._append(self.journal, line)

    def _append(self, file: AppendFile, record: Mapping[str, Any], *, holds_reply: bool = False) -> int:
        """Write a line; returns where it starts. A reply that cannot be written goes out with the error, so that it is
        shown at least: with the first one, whatever that was about, since it is the one that ends the run."""
        line = to_json(record)
        try:
            offset = file.append(line)
            self._wrote()
        except OutputError as error:
            if holds_reply:
                self.unwritten.append(line)
            error.unwritten = self.unwritten
            raise
        return offset

    async def settled(self) -> None:
        """Returns once what was written is on the disk; at once where the job does not ask for that (`durability`)."""
        if self.strict and self._sync:
            from asyncio import wrap_future

            await wrap_future(self._sync.durable())
            try:
                self._wrote()
            except OutputError as error:
                error.unwritten = self.unwritten
                raise

    def _wrote(self) -> None:
        if self._sync:
            self._sync.wrote()

    def _close_files(self) -> None:
        if self._sync is None:
            return
        sync, self._sync = self._sync, None
        try:
            sync.close()
        finally:
            self.journal.close()
            self.results.close()
