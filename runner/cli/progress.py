"""How far a run is: a bar on a terminal, a line every half minute without one. Subscribes to the engine's events."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from tqdm import tqdm

from runner.cli.streams import say, silence
from runner.records import AttemptEnded, Event

if TYPE_CHECKING:
    from runner.pipeline import PlannedJob

LINE_EVERY_SECONDS = 30.0


class Progress:
    """Counts the results of one job as they arrive. total: requests of the plan; done: those answered before."""

    def __init__(
        self, name: str, *, total: int, done: int, stream: TextIO, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.total, self.done = name, total, done
        self.good = self.retries = 0
        self.stream, self.now, self.next_line = stream, now, now() + LINE_EVERY_SECONDS
        self.bar = tqdm(total=total, initial=done, desc=name, unit="req", file=stream) if stream.isatty() else None

    def __call__(self, event: Event) -> None:
        """Take note. A terminal that has gone away ends the display, never the run."""
        try:
            self._take(event)
        except OSError:
            self.hide()

    def _take(self, event: Event) -> None:
        if isinstance(event, AttemptEnded):
            self.retries += event.waiting is not None
            return
        self.done += 1
        self.good += event.result.good
        if self.bar is not None:
            self.bar.set_postfix_str(self.state(), refresh=False)
            self.bar.update()
        elif self.now() >= self.next_line:
            self.next_line = self.now() + LINE_EVERY_SECONDS
            self.say(f"{self.name}: {self.done:,} of {self.total:,} done, {self.state()}")

    def state(self) -> str:
        return f"{self.good:,} good, {self.retries:,} retries"

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
        self.bar, self.next_line = None, math.inf
        silence(self.stream)

    def close(self) -> None:
        if self.bar is not None:
            with suppress(OSError):
                self.bar.close()


class Shown:
    """The progress of the job that is running now, if any is to be shown."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.progress: Progress | None = None

    def start(self, planned: PlannedJob, answered: int) -> Callable[[Event], None]:
        if self.quiet:
            return lambda event: None
        if answered:
            self.say(f"going on: {answered:,} of {planned.plan.requests:,} are answered already")
        self.progress = Progress(planned.job.name, total=planned.plan.requests, done=answered, stream=sys.stderr)
        return self.progress

    def say(self, text: str) -> None:
        if self.progress is not None:
            self.progress.say(text)
        else:
            say(text)

    def end(self) -> None:
        if self.progress is not None:
            self.progress.close()
            self.progress = None
