"""What `run` says at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.run import tell
from runner.engine.live import Ended
from runner.models.summary import Summary
from runner.sitting import Finished, RunOptions


def test_the_command_that_goes_on_does_not_start_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary("job", "run", str(tmp_path), 5, 2, 2, finished=False, end="interrupted", left=3)
    options = RunOptions(arguments=("specs/my job.yaml", "--fresh", "--limit", "5"))
    tell(Finished(summary, Ended(stopped="interrupted"), 130, tmp_path), options, quiet=False, output="text")
    said = capsys.readouterr().err
    assert "`promptrun 'specs/my job.yaml' --limit 5` again" in said
    assert "--fresh" not in said
