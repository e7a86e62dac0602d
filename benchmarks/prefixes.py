"""How often a shared prefix is written to the cache, which costs more than reading it ten times over.

Against the loop people write: as many workers with the same bodies, `cache_control` included. Every request that
begins before the first reply has written the prefix pays for writing it again.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import HERE, PROMPTRUN, answer, log_of, simulator, table, watched

CONCURRENCY, LATENCY = 50, 0.2
GUIDE = "Rule {}: a ticket about paper goes to the floor's steward, one about ink to the workshop. "
SENTENCES = 200  # longer than what any model needs to cache a prefix


@dataclass(frozen=True)
class Case:
    rows: int
    prefixes: int


CASES = (Case(400, 1), Case(4_000, 40))


def write_job(folder: Path, case: Case) -> Path:
    guides = [n % case.prefixes for n in range(case.rows)]
    random.Random(0).shuffle(guides)
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ticket", "guide"])
        writer.writerows((f"T-{n}", guide) for n, guide in enumerate(guides))
    system = "Guide {{ guide }}. " + "".join(GUIDE.format(n) for n in range(SENTENCES))
    job = {"model": "claude-haiku-5-5", "max_tokens": 100, "fallbacks": "off", "system": system.strip()}
    job |= {"prompt": "Sort ticket {{ ticket }}.", "inputs": {"file": "rows.csv", "id": "ticket"}}
    spec = folder / "job.yaml"
    spec.write_text(json.dumps(job), encoding="utf-8")
    return spec


def promptrun(url: str, spec: Path, case: Case) -> None:
    command = [
        *PROMPTRUN,
        "run",
        str(spec),
        "--concurrency",
        str(CONCURRENCY),
        "--output-dir",
        str(spec.parent),
        "--yes",
    ]
    watched(command, {"ANTHROPIC_BASE_URL": url})


def fan_out(url: str, spec: Path, case: Case) -> None:
    answer([sys.executable, str(HERE / "senders.py"), "create", url, str(spec), str(CONCURRENCY), str(case.rows)])


WAYS = {"promptrun": promptrun, "the SDK, 50 workers": fan_out}


def figures(log: Any) -> Sequence[str]:
    asked = [entry for entry in log["entries"] if entry["ordinal"] is not None]
    seconds = max(entry["ended"] for entry in asked) - min(entry["at"] for entry in asked)
    return [f"{log['cache_writes']:,}", f"{log['cache_reads']:,}", f"{log['cache_write_tokens']:,}", f"{seconds:.2f}"]


def measure() -> list[str]:
    rows = []
    for case in CASES:
        for name, send in WAYS.items():
            with tempfile.TemporaryDirectory() as folder, simulator(latency=LATENCY) as url:
                send(url, write_job(Path(folder), case), case)
                log = log_of(url)
            met = ("met" if log["cache_writes"] == case.prefixes else "**missed**") if send is promptrun else ""
            rows.append([f"{case.rows:,} rows, {case.prefixes} shared", name, *figures(log), met])
    return [
        "## Shared prefixes",
        "",
        f"{CONCURRENCY} at a time, {LATENCY * 1e3:.0f} ms a reply, rows shuffled; a prefix can be read once the reply"
        " that writes it has begun. Target: as many writes as there are prefixes.",
        "",
        *table(["rows", "way", "cache writes", "reads", "tokens written", "seconds", "target"], rows),
    ]


if __name__ == "__main__":
    print("\n".join(measure()))
