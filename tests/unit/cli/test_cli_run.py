"""What `run` says at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.options import Flags
from runner.cli.run import tell
from runner.engine.live import Ended
from runner.models.summary import Summary
from runner.sitting import Finished

LEFT = {"results": 2, "good": 2, "left": 3, "to_send": 3}


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, finished: bool = False) -> list[str]:
    """What `--quiet` leaves on stderr."""
    left = {"results": 5, "good": 5} if finished else LEFT
    summary = Summary("job", "run", str(tmp_path), 5, finished=finished, end="interrupted", **left)
    ended = Finished(summary, Ended(stopped="interrupted"), 130, tmp_path)
    tell(ended, Flags(quiet=True), "`promptrun job.yaml --quiet` again")
    return capsys.readouterr().err.splitlines()


def test_quiet_still_says_what_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(tmp_path, capsys) == [
        "job: 2 of 5 good (3 left, stopped: interrupted)",
        "next     `promptrun job.yaml --quiet` again: it goes on with the 3 requests left and pays for no answer twice",
    ]


def test_quiet_says_nothing_of_a_run_that_is_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(tmp_path, capsys, finished=True) == []
