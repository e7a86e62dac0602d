"""`--log-file`: what happens in a run as JSON lines, one an attempt, for programs that watch it. Holds no secrets:
neither prompts nor replies nor rows, and failures in the words the results have.

A log that cannot be opened stops the command before anything is sent; one that fails later never stops a run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from runner.cli.streams import say
from runner.errors import OutputError
from runner.records import AttemptEnded, Event, RequestDone

if TYPE_CHECKING:
    from runner.sitting import Finished, Started


class LogFile:
    """Appends to `path`, whose folder has to be there. Use it as a context manager. Raises OutputError on opening."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file = path.open("ab", buffering=0)
        except OSError as error:
            raise OutputError(
                f"cannot write the log file `{path}`: {error.strerror}", next="Name another file with `--log-file`."
            ) from error
        self.broken = False

    def start(self, started: Started) -> Callable[[Event], None]:
        """The observer of a job that starts now."""
        job = {"job": started.planned.job.name, "run": started.run}
        self.write({"t": "started", **job, "requests": started.planned.plan.requests, "answered": started.answered})

        def observe(event: Event) -> None:
            if isinstance(event, AttemptEnded):
                self.write({"t": "attempt", **job, **attempt_line(event)})
            elif isinstance(event, RequestDone):
                self.write({"t": "result", **job, **result_line(event)})

        return observe

    def end(self, finished: Finished) -> None:
        summary = finished.summary
        done = {"results": summary.results, "good": summary.good, "left": summary.left, "cost_usd": summary.cost_usd}
        job = {"job": summary.job, "run": summary.run}
        self.write({"t": "ended", **job, "end": summary.end, **done, "exit_code": finished.exit_code})

    def write(self, line: dict[str, Any]) -> None:
        if self.broken:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            self.file.write(orjson.dumps({"v": 1, "at": at, **line}) + b"\n")
        except OSError as error:
            self.broken = True
            say(f"the log file `{self.path}` cannot be written any more ({error.strerror}); the run goes on")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()


def attempt_line(event: AttemptEnded) -> dict[str, Any]:
    """One attempt. retry_in: seconds until it is made again, null when it is not."""
    request, attempt = event.request, event.attempt
    return {
        "n": request.n,
        "id": request.id,
        "repeat": request.repeat,
        "model": request.model,
        "call": event.call,
        "attempt": attempt.n,
        "sent_at": attempt.at,
        "seconds": round(attempt.seconds, 3),
        "http_status": attempt.http_status,
        "request_id": attempt.request_id,
        "failure": attempt.failure.to_json() if attempt.failure else None,
        "retry_in": None if event.waiting is None else round(event.waiting, 3),
        "usage": event.usage,
        "cost_usd": event.cost_usd,
        "limits": {name: value for name, value in attempt.headers.items() if "ratelimit" in name},
    }


def result_line(event: RequestDone) -> dict[str, Any]:
    result = event.result
    return {
        "n": result.request.n,
        "id": result.request.id,
        "repeat": result.request.repeat,
        "status": result.status,
        "good": result.good,
        "billed_usd": result.billed_usd,
        "reused": result.reused_from is not None,
    }
