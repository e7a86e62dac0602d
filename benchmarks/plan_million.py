"""Planning a million CSV rows: seconds, and peak memory above planning ten thousand. Target: ≤ 60 s, ≤ 50 MB.

Peak memory is what the operating system says of a child process once it has ended; Windows says nothing.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FEW, MANY = 10_000, 1_000_000
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps([done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit]))
"""


def write_job(folder: Path, rows: int) -> Path:
    with (folder / f"{rows}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ticket", "subject", "text"])
        writer.writerows(
            (f"T-{n}", f"Subject {n}", f"The printer on floor {n % 97} is out of paper.") for n in range(rows)
        )
    spec = folder / f"{rows}.yaml"
    spec.write_text(
        "model: claude-haiku-5-5\nmax_tokens: 300\nsystem: You sort tickets.\n"
        f"prompt: '{{{{ subject }}}}: {{{{ text }}}}'\ninputs: {{file: {rows}.csv, id: ticket}}\n",
        encoding="utf-8",
    )
    return spec


def planned(spec: Path) -> tuple[float, int]:
    """Seconds and peak bytes of `promptrun plan`."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "runner.cli", "plan", str(spec)]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True)
    code, peak = json.loads(done.stdout)
    if code:
        raise SystemExit(f"promptrun plan {spec} ended with {code}")
    return time.perf_counter() - begun, peak


def measure() -> list[str]:
    if sys.platform == "win32":
        return ["## Planning a million rows", "", "Not measured: Windows tells no peak memory of an ended process."]
    with tempfile.TemporaryDirectory() as folder:
        few_seconds, few_peak = planned(write_job(Path(folder), FEW))
        many_seconds, many_peak = planned(write_job(Path(folder), MANY))
    return [
        "## Planning a million rows",
        "",
        f"`promptrun plan` over a CSV file; target ≤ 60 s and ≤ 50 MB above {FEW:,} rows.",
        "",
        "| rows | seconds | peak memory, MB |",
        "|---|---|---|",
        f"| {FEW:,} | {few_seconds:.1f} | {few_peak / 1e6:.0f} |",
        f"| {MANY:,} | {many_seconds:.1f} | {many_peak / 1e6:.0f} (+ {(many_peak - few_peak) / 1e6:.0f}) |",
    ]


if __name__ == "__main__":
    print("\n".join(measure()))
