"""The replies that a run's journal holds of requests without an answered result, so that they are not paid for again.

Keeps where their lines start, and only of such requests: memory grows with what an interruption left half done.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from runner.records import Attempt, Call, Failure, Request
from runner.store.files import from_json, read_lines
from runner.store.index import ANSWERED, ResultIndex
from runner.store.versions import check_format

_HEAD: Final = 32  # bytes of a line that hold its kind
_MARK: Final = b'"t":"reply"'


def reply_line(request: Request, answer: Call, call: int) -> dict[str, Any]:
    """The journal's line for an answered call; its first fields say what it is."""
    head = {"v": 1, "t": "reply", "n": request.n, "id": request.id, "call": call}
    return {**head, "asked": request.model, **answer.to_json(), "simulated": answer.simulated}


class ReplyIndex:
    """n → where the lines of its calls start in the journal, in order."""

    def __init__(self) -> None:
        self._offsets: dict[int, list[int]] = {}

    def load(self, journal: Path, results: ResultIndex) -> None:
        """One streaming pass over the journal. A call that was made anew takes the place of the earlier one."""
        for offset, line in read_lines(journal):
            record = from_json(line) if _MARK in line[:_HEAD] else None
            if record is not None:
                check_format(record, journal)
            n, call = (record.get("n"), record.get("call")) if record else (None, None)
            if type(n) is int and 0 <= n < results.total and results.states[n] != ANSWERED and type(call) is int:
                self._note(n, call, offset)

    def calls(self, n: int, journal: Path) -> list[Call]:
        """The answered calls of request n."""
        if n not in self._offsets:
            return []
        with journal.open("rb") as file:
            return [call_from(_at(file, offset)) for offset in self._offsets[n]]

    def _note(self, n: int, call: int, offset: int) -> None:
        known = self._offsets.setdefault(n, [])
        if call <= len(known):  # a gap would mean that a line was lost: what follows it is of no use
            known[call:] = [offset]


def _at(file: Any, offset: int) -> dict[str, Any]:
    file.seek(offset)
    return from_json(file.readline()) or {}


def call_from(record: Mapping[str, Any]) -> Call:
    """The call that a `reply` line tells of."""
    return Call(
        attempts=[_attempt(attempt) for attempt in record["attempts"]],
        purpose=record["for"],
        turn=record["turn"],
        usage=record["usage"],
        cost_usd=record["cost_usd"],
        response=record["response"],
        simulated=record["simulated"],
        iterations=record.get("iterations", ()),
    )


def _attempt(record: Mapping[str, Any]) -> Attempt:
    return Attempt(**{**record, "failure": Failure(**record["failure"]) if record["failure"] else None})
