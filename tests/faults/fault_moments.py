"""When a process is killed: moments seen in the simulator's log or in the job's files, and seeded places within them.

A moment that a sitting does not reach is no kill: the process ends by itself, and that is all right too.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fault_harness import Job, Simulator, until
from fault_specs import LATENCY, QUICK_RETRIES


@dataclass(frozen=True)
class Watch:
    """One sitting under way. first: how many messages had been sent before. planning: seconds an undisturbed run takes
    to its first request."""

    process: subprocess.Popen[bytes]
    simulator: Simulator
    job: Job
    rng: random.Random
    planning: float
    first: int

    def arrived(self) -> int:
        """Messages sent in this sitting."""
        return int(self.simulator.log(after=1 << 60)["arrived"]) - self.first

    def ended(self, *outcomes: str) -> int:
        """Messages of this sitting that ended so."""
        return sum(entry["outcome"] in outcomes for entry in self.simulator.log(self.first)["entries"])

    def alive_after(self, seconds: float) -> bool:
        """Whether the process outlives a seeded share of these seconds."""
        try:
            self.process.wait(self.rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            return True
        return False


Moment = Callable[[Watch], bool]
"""Waits until it is time to kill; False when the process ended before that."""


def planning(watch: Watch) -> bool:
    """Anywhere between its start and its first request: imports, reading, planning, opening the run."""
    return watch.alive_after(watch.planning)


def first_request(watch: Watch) -> bool:
    """While the first request is on its way: with a shared prefix that is the leader, alone."""
    return until(watch.arrived, alive=watch.process) and watch.alive_after(LATENCY)


def retry_wait(watch: Watch) -> bool:
    """While a request waits to be sent again."""
    failed = until(lambda: watch.ended("error", "broken"), alive=watch.process)
    return failed and watch.alive_after(QUICK_RETRIES["base"])


def replies(most: int) -> Moment:
    """After so many replies, drawn anew each time."""

    def moment(watch: Watch) -> bool:
        wanted = watch.rng.randint(1, most)
        return until(lambda: watch.ended("completed") >= wanted, alive=watch.process) and watch.alive_after(LATENCY)

    moment.__name__ = "replies"
    return moment


def rewrite(watch: Watch) -> bool:
    """While the results are put in order through a temporary file, or right after."""
    return spin(lambda: any(temporary(watch.job.outputs, "results")), watch)


def ending(watch: Watch) -> bool:
    """While usage.json and run.json get their last content, or right after."""
    return spin(lambda: any(temporary(watch.job.outputs, "usage")), watch)


def index(watch: Watch) -> bool:
    """While the index of the job's answers is brought up to date, or right after."""
    before = index_files(watch.job.outputs)
    return spin(lambda: index_files(watch.job.outputs) != before, watch)


def leaving(watch: Watch) -> bool:
    """After the run's last write, while the process ends: whoever runs it again gets the answers that are there."""
    return spin(
        lambda: any(b'"finished": true' in whole(path) for path in watch.job.outputs.glob("*/*/run.json")), watch
    )


def whole(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # Windows, while it is being replaced
        return b""


def temporary(outputs: Path, name: str) -> Iterator[Path]:
    return outputs.glob(f"*/*/.{name}*")


def index_files(outputs: Path) -> dict[Path, int]:
    """Of the index of answers (and its journal), each with the time of its last change."""
    found = {}
    for path in outputs.glob("*/index.db*"):
        with contextlib.suppress(OSError):  # it may be gone again
            found[path] = path.stat().st_mtime_ns
    return found


def spin(condition: Callable[[], bool], watch: Watch) -> bool:
    """Look nearly without a pause: what is waited for lasts milliseconds."""
    while watch.process.poll() is None:
        if condition():
            time.sleep(watch.rng.uniform(0, 0.001))  # somewhere within
            return True
        time.sleep(0.0002)
    return False
