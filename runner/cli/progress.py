"""How far a run is: a bar for each job on a terminal, a line every half minute without one. Subscribes to events."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from runner.cli.streams import say, silence
from runner.records import Event, RequestDone
from runner.report.counts import Counts, counts_text, left_text
from runner.report.resume import resume_text

if TYPE_CHECKING:
    from tqdm import tqdm

    from runner.sitting import Started

LINE_EVERY_SECONDS = 30.0
REUSED_EVERY_SECONDS = 10.0
STATE_EVERY_SECONDS = 0.2


def a_bar(**given: Any) -> tqdm[NoReturn]:
    from tqdm import tqdm  # a log file needs none

    return tqdm(unit="req", **given)


class Progress:
    """Shows the counts of one job. total: requests of the plan; done: those answered before; row: of several bars."""

    def __init__(
        self,
        name: str,
        *,
        total: int,
        done: int,
        stream: TextIO,
        row: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.stream, self.now = name, stream, now
        self.counts = Counts(total, now, done)
        self.bar = a_bar(total=total, initial=done, desc=name, file=stream, position=row) if stream.isatty() else None
        self.next_look = now() + (STATE_EVERY_SECONDS if self.bar is not None else LINE_EVERY_SECONDS)

    def __call__(self, event: Event) -> None:
        """Take note. A terminal that has gone away ends the display, never the run."""
        self.counts(event)
        try:
            self._show(event)
        except OSError:
            self.hide()

    def _show(self, event: Event) -> None:
        due = self.now() >= self.next_look
        if self.bar is not None:
            if due:
                self.next_look = self.now() + STATE_EVERY_SECONDS
                self.bar.set_postfix_str(counts_text(self.counts), refresh=not isinstance(event, RequestDone))
            if isinstance(event, RequestDone):
                self.bar.update()
        elif due:
            self.next_look = self.now() + LINE_EVERY_SECONDS
            counts = self.counts
            done = f"{counts.done:,} of {counts.total:,} done"
            self.say(f"{self.name}: {done}, {counts_text(counts)}{left_text(counts)}")

    def say(self, text: str) -> None:
        """A message above the bar, or a line of its own."""
        try:
            if self.bar is not None:
                self.bar.write(text, file=self.stream)
            else:
                print(text, file=self.stream, flush=True)
        except OSError:
            self.hide()

    def hide(self) -> None:
        """Show nothing any more."""
        self.bar, self.next_look = None, math.inf
        silence(self.stream)

    def close(self) -> None:
        if self.bar is not None:
            with suppress(OSError):
                self.bar.set_postfix_str(counts_text(self.counts), refresh=True)
                self.bar.close()


class Shown:
    """The progress of the jobs that are running now, if any is to be shown."""

    def __init__(self, quiet: bool, now: Callable[[], float] = time.monotonic) -> None:
        self.quiet = quiet
        self.now = now
        self.jobs: dict[str, Progress] = {}
        self.next_reused = now() + REUSED_EVERY_SECONDS

    def start(self, started: Started) -> Callable[[Event], None]:
        if self.quiet:
            return lambda event: None
        name, total = started.planned.job.name, started.planned.plan.requests
        if started.resume is not None and (text := resume_text(started.resume)):
            self.say(f"{name}: {text}")
        rows = {progress.bar.pos for progress in self.jobs.values() if progress.bar is not None}
        row = next(row for row in range(len(rows) + 1) if -row not in rows)
        self.jobs[name] = Progress(name, total=total, done=started.answered, stream=sys.stderr, row=row)
        return self.jobs[name]

    def reusing(self, name: str, done: int, total: int) -> None:
        """How far a job is with the answers of earlier runs: a line now and then, since a million take a minute."""
        if not self.quiet and self.now() >= self.next_reused:
            self.next_reused = self.now() + REUSED_EVERY_SECONDS
            self.say(f"{name}: {done:,} of {total:,} answers of earlier runs written down")

    def say(self, text: str) -> None:
        progress = next(iter(self.jobs.values()), None)
        if progress is not None:
            progress.say(text)
        else:
            say(text)

    def end(self, name: str) -> None:
        """The job is over: its bar stays as it is and nothing more is shown of it."""
        progress = self.jobs.pop(name, None)
        if progress is not None:
            progress.close()
