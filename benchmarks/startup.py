"""What commands that send nothing take, against `import anthropic` alone. Target: at most a quarter.

Each round measures all of them one after the other, so that a busy second hits them alike. CPU time is compared: what
else the machine does makes a process wait, and hardly makes it work.
"""

from __future__ import annotations

import statistics
import sys

from measuring import CHECKOUT, PROMPTRUN, against, spread, table, watched

ROUNDS = 15
TARGET = 0.25
BASE = "python -c 'import anthropic'"
TRIAGE = str(CHECKOUT / "specs" / "triage.yaml")
COMMANDS = {
    BASE: [sys.executable, "-c", "import anthropic"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "promptrun --help": [*PROMPTRUN, "--help"],
    "promptrun validate specs/triage.yaml": [*PROMPTRUN, "validate", TRIAGE],
    "promptrun plan specs/triage.yaml": [*PROMPTRUN, "plan", TRIAGE],
    "promptrun render specs/triage.yaml": [*PROMPTRUN, "render", TRIAGE],
}
WITH_TARGET = ("promptrun --help", "promptrun validate specs/triage.yaml")
"""`plan` shows prices, and the price list takes longer to import than all the rest."""


def measure() -> list[str]:
    """The table: command, median seconds, CPU seconds and their ratio to the import."""
    for command in COMMANDS.values():
        watched(command)  # once unmeasured: compiled files and the disk cache
    rounds = [{name: watched(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    rows = []
    for name in COMMANDS:
        wall = statistics.median(one[name].seconds for one in rounds)
        cpu = statistics.median(one[name].cpu for one in rounds)
        ratios = [one[name].cpu / one[BASE].cpu for one in rounds]
        met = f"≤ {TARGET} {against(statistics.median(ratios), TARGET)}" if name in WITH_TARGET else ""
        rows.append([f"`{name}`", f"{wall:.3f}", f"{cpu:.3f}", spread(ratios), met])
    said = f"{ROUNDS} rounds of all commands; seconds are medians, the ratio is of CPU time: median (least–most)."
    return ["## Start-up", "", said, "", *table(["process", "seconds", "CPU", "ratio to the import", "target"], rows)]


if __name__ == "__main__":
    print("\n".join(measure()))
