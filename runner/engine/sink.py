"""Where a run is written down, and what goes wrong there."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Protocol

from runner.errors import OutputError
from runner.records import Attempt, Call, Failure, Request, Result


class Sink(Protocol):
    """Where a run is written down. Each call returns once the operating system has the line; raises OutputError.

    call: which of the request's calls, from 0. may_cost: US dollars at most, None without a known price.
    """

    def sent(self, request: Request, attempt: int, at: str, may_cost: float | None, call: int) -> None:
        """About to be sent."""
        ...

    def attempt_failed(self, request: Request, attempt: Attempt, call: int) -> None: ...

    def replied(self, request: Request, answer: Call, call: int) -> None:
        """A call was answered, and no answered result of its request follows at once."""
        ...

    def done(self, result: Result) -> None: ...

    async def settled(self) -> None:
        """Returns once what was written may be told to others: in a strict run, once it is on the disk."""
        ...

    def overhead_sent(self, prefix: str, request: Request, at: str, may_cost: float | None) -> None:
        """About to send a warm-up: it is no request of the plan."""
        ...

    def overhead(self, prefix: str, request: Request, call: Call | None, failure: Failure | None) -> None:
        """How the warm-up ended: one of the two is there."""
        ...


class Writing:
    """A context in which an OSError becomes an OutputError; entered three times a request, so it is no generator."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise OutputError(f"the outputs could not be written: {error}") from error


_WRITING: Final = Writing()


def writing() -> Writing:
    return _WRITING
