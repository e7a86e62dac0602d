"""docs/python.md as it stands: its program, run by a real interpreter against the simulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness import CHECKOUT, Command

EXAMPLE = CHECKOUT / "docs" / "python_example.py"


def test_the_page_shows_the_example() -> None:
    page = (CHECKOUT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks == [EXAMPLE.read_text(encoding="utf-8")]


def test_the_example_runs(promptrun: Command, project: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--simulate"],
        env=promptrun.environment,
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    first, *rows, last = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"44 requests, at most \$0\.\d+", first)
    assert rows[0].startswith("T-1041 ok ")
    assert last == "44 of 44 answers are good"
    assert list((project / "outputs" / "simulated" / "triage").glob("*/run.json"))
