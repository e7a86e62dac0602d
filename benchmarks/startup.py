"""How long commands that send nothing take, against `import anthropic` alone. Target: at most a quarter.

Each round times all of them one after the other, so that a busy second hits them alike; the figures are medians over
the rounds, the ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
CHECKOUT = Path(__file__).resolve().parent.parent
BASE = "python -c 'import anthropic'"
PROMPTRUN = [sys.executable, "-m", "runner.cli"]
COMMANDS = {
    BASE: [sys.executable, "-c", "import anthropic"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "promptrun --help": [*PROMPTRUN, "--help"],
    "promptrun validate specs/triage.yaml": [*PROMPTRUN, "validate", "specs/triage.yaml"],
    "promptrun plan specs/triage.yaml": [*PROMPTRUN, "plan", "specs/triage.yaml"],
    "promptrun render specs/triage.yaml": [*PROMPTRUN, "render", "specs/triage.yaml"],
}


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.perf_counter() - begun


def measure() -> list[str]:
    """The table: command, median seconds, median ratio to the import."""
    for command in COMMANDS.values():
        seconds(command)  # once unmeasured: compiled files and the disk cache
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    lines = ["## Start-up", "", f"Median of {ROUNDS} rounds; ratio to `import anthropic`, target ≤ 0.25.", ""]
    lines += ["| process | seconds | ratio |", "|---|---|---|"]
    for name in COMMANDS:
        spent = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one[BASE] for one in rounds)
        lines.append(f"| `{name}` | {spent:.3f} | {ratio:.2f} |")
    return lines


if __name__ == "__main__":
    print("\n".join(measure()))
