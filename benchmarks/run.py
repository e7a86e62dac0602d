"""Measures what the docs claim and writes benchmarks/RESULTS.md; `make bench` runs it.

One function per claim, each giving lines of Markdown. Figures that are compared are measured side by side in one go,
because one machine is not another and one minute is not the next. Never part of the tests.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
from pathlib import Path

import plan_million
import startup

RESULTS = Path(__file__).with_name("RESULTS.md")
MEASURES = (startup.measure, plan_million.measure)


def machine() -> str:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    kind = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"Measured by `make bench` on {today}, Python {platform.python_version()}, {kind}."


def main() -> int:
    lines = ["# Benchmarks", "", machine(), ""]
    for measure in MEASURES:
        print(f"== {measure.__module__}", flush=True)
        found = measure()
        print("\n".join(found), flush=True)
        lines += [*found, ""]
    RESULTS.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    print(f"written to {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
