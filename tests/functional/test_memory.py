"""Rows stream: planning ten times as many takes no more memory to speak of. `make bench` measures a million."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Command

# Peak memory is asked of the operating system for the children of a process that has just this one.
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True)
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
print(json.dumps({"code": done.returncode, "peak_bytes": peak, "stdout": done.stdout, "stderr": done.stderr}))
"""


def planned_peak(promptrun: Command, folder: Path, rows: int) -> int:
    """Bytes at the peak of `promptrun plan` over so many CSV rows."""
    with (folder / f"rows{rows}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "word"])
        writer.writerows((f"row-{n}", f"a word with number {n}") for n in range(rows))
    spec = folder / f"rows{rows}.yaml"
    spec.write_text(
        f"model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Say {{{{ word }}}}'\ninputs:\n  file: rows{rows}.csv\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-c", MEASURE, *promptrun.start_with, "plan", str(spec)]
    done = subprocess.run(command, env=promptrun.environment, cwd=promptrun.cwd, capture_output=True, check=True)
    told = json.loads(done.stdout)
    assert told["code"] == 0, told["stderr"]
    assert f"{rows:,}" in told["stdout"]
    return int(told["peak_bytes"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no peak memory of a process that has ended")
def test_100_000_rows_plan_in_the_memory_of_10_000(promptrun: Command, tmp_path: Path) -> None:
    few = planned_peak(promptrun, tmp_path, 10_000)
    many = planned_peak(promptrun, tmp_path, 100_000)
    assert many - few <= 50 * 1024 * 1024
