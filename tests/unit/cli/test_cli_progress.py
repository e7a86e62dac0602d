"""Progress without a terminal: a line every half minute, none for a short run, nothing when quiet."""

from __future__ import annotations

import errno
import io

import pytest

from runner.cli.progress import LINE_EVERY_SECONDS, REUSED_EVERY_SECONDS, Progress, Shown
from runner.records import Attempt, AttemptEnded, Failure, Request, RequestDone, Result, Source

REQUEST = Request(0, "a", {}, 0, "k", "claude-haiku-5-5", 10, b"{}", Source("x.csv", 2))
DONE = RequestDone(Result(REQUEST, "ok"))
BAD = RequestDone(Result(REQUEST, "refused"))
RETRY = AttemptEnded(REQUEST, Attempt(1, "", 0.1, failure=Failure("overloaded", "busy")), waiting=1.5)


def test_a_line_comes_only_when_its_time_has_come() -> None:
    out, time = io.StringIO(), [0.0]
    progress = Progress("triage", total=1000, done=10, stream=out, now=lambda: time[0])
    progress(DONE)
    progress(RETRY)
    assert out.getvalue() == ""
    time[0] = LINE_EVERY_SECONDS
    progress(BAD)
    progress(DONE)
    assert out.getvalue() == ("triage: 12 of 1,000 done, 1 good, 1 retries, 2 req/min, about 4 h 07 min left\n")
    time[0] *= 2
    progress(DONE)
    assert out.getvalue().count("\n") == 2


@pytest.mark.parametrize(("quiet", "lines"), [(False, 2), (True, 0)])
def test_taking_a_million_answers_of_earlier_runs_says_how_far_it_is(
    quiet: bool, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    time = [0.0]
    shown = Shown(quiet, now=lambda: time[0])
    for time[0] in (0.0, 1.0, REUSED_EVERY_SECONDS, REUSED_EVERY_SECONDS + 1, 2 * REUSED_EVERY_SECONDS):
        shown.reusing("triage", int(1000 * time[0]), 1_000_000)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    if lines:
        assert told[0] == "triage: 10,000 of 1,000,000 answers of earlier runs written down"


class Gone(io.StringIO):
    """A terminal nobody is at any more."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_terminal_that_has_gone_never_stops_the_run() -> None:
    time = [0.0]
    progress = Progress("triage", total=1000, done=10, stream=Gone(), now=lambda: time[0])
    for time[0] in (0.0, LINE_EVERY_SECONDS, LINE_EVERY_SECONDS * 3):
        progress(DONE)
    progress.say("stopping")
    progress.close()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_what_earlier_sittings_answered() -> None:
    out = Terminal()
    progress = Progress("triage", total=4, done=2, stream=out)
    progress(DONE)
    progress.close()
    assert "triage" in out.getvalue()
    assert "2/4" in out.getvalue()
    assert "3/4" in out.getvalue()
    assert "1 good" in out.getvalue(), "the last state stays, however quick the run was"


def test_jobs_that_run_side_by_side_have_a_bar_each(capsys: pytest.CaptureFixture[str]) -> None:
    out = Terminal()
    first = Progress("first", total=2, done=0, stream=out, row=0)
    second = Progress("second", total=2, done=0, stream=out, row=1)
    first(DONE)
    second(DONE)
    for progress in (first, second):
        progress.close()
    assert "first" in out.getvalue()
    assert "second" in out.getvalue()
