"""CPU a request of the whole sending loop, against the SDK's own loops. Target: ≤ 0.75 × `create` on aiohttp.

The simulator is another process and as busy as the sender, so on few cores it decides how long a run takes: what is
compared is the CPU time of the sending process, not wall time. Replies carry the API's rate-limit headers.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import HERE, PROMPTRUN, against, answer, simulator, spread, table, watched

ROUNDS, ROWS, CONCURRENCY = 5, 5_000, 100
TARGET = 0.75
PAIR = "create"
WAYS = {
    "promptrun": "promptrun: render, send, journal, results, progress",
    PAIR: "`client.messages.create` on `DefaultAioHttpClient`",
    "create-default": "`client.messages.create` on the SDK's default transport",
    "aiohttp": "a plain aiohttp loop (the floor)",
}
ROWS_OF = {"create-default": 1_000}
"""It takes several times as long as the others; its CPU a request is the same."""

PLENTY = {f"{kind}_per_minute": 60_000_000 for kind in ("requests", "input_tokens", "output_tokens")}
"""Limits nobody reaches, so that replies carry the headers that replies carry."""

SYSTEM = "You sort support tickets of a printing company. Answer with one label and one sentence of why. " * 8
TEXT = "The printer on floor {} is out of paper, and the queue of the whole building waits for somebody to come. " * 5


def write_job(folder: Path, rows: int) -> Path:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ticket", "subject", "text"])
        writer.writerows((f"T-{n}", f"Subject {n}", TEXT.replace("{}", str(n % 97))) for n in range(rows))
    spec = folder / "job.yaml"
    job = {
        "model": "claude-haiku-5-5",
        "max_tokens": 300,
        "fallbacks": "off",  # `messages.create` has no such parameter
        "system": SYSTEM.strip(),
        "prompt": "Sort this ticket.\nSubject: {{ subject }}\n\n{{ text }}",
        "inputs": {"file": "rows.csv", "id": "ticket"},
    }
    spec.write_text(json.dumps(job), encoding="utf-8")
    return spec


def round_of(url: str, spec: Path) -> dict[str, tuple[float, float]]:
    """Way → milliseconds of CPU and of wall time a request; `command` is the whole command."""
    found = {}
    for way in WAYS:
        rows = ROWS_OF.get(way, ROWS)
        took = answer([sys.executable, str(HERE / "senders.py"), way, url, str(spec), str(CONCURRENCY), str(rows)])
        found[way] = (took["cpu"] / rows * 1e3, took["seconds"] / rows * 1e3)
    with tempfile.TemporaryDirectory() as outputs:
        command = [*PROMPTRUN, "run", str(spec), "--concurrency", str(CONCURRENCY), "--output-dir", outputs, "--yes"]
        whole = watched(command, {"ANTHROPIC_BASE_URL": url})
    found["command"] = (whole.cpu / ROWS * 1e3, whole.seconds / ROWS * 1e3)
    return found


def measure() -> list[str]:
    with tempfile.TemporaryDirectory() as folder, simulator(**PLENTY) as url:
        spec = write_job(Path(folder), ROWS)
        rounds = [round_of(url, spec) for _ in range(ROUNDS)]
    names = {**WAYS, "command": "the whole command, with imports and planning"}
    rows = []
    for way, name in names.items():
        ratios = [one[way][0] / one[PAIR][0] for one in rounds]
        rows.append(
            [name, spread([one[way][0] for one in rounds]), spread(ratios), spread([one[way][1] for one in rounds])]
        )
    ratio = statistics.median(one["promptrun"][0] / one[PAIR][0] for one in rounds)
    return [
        "## CPU a request",
        "",
        f"{ROWS:,} rows ({ROWS_OF['create-default']:,} on the default transport), {CONCURRENCY} at a time, no latency,"
        f" {ROUNDS} rounds of all ways one after the other: median (least–most). Target: ≤ {TARGET} × the SDK's"
        f" `create` loop on `DefaultAioHttpClient`; {against(ratio, TARGET)} with {ratio:.2f}.",
        "",
        *table(["way", "CPU, ms", "ratio", "wall, ms"], rows),
        "",
        "CPU is user and system time of the sending process from the first line of the loop to its last, with"
        " everything imported, planned and (for the SDK) made into bodies before. The wall time is no measure of a"
        f" sender: the simulator answers with the CPU that is left on {os.cpu_count()} cores, and is the bottleneck"
        " wherever wall time is longer than CPU time.",
    ]


if __name__ == "__main__":
    print("\n".join(measure()))
