"""Memory and time of large jobs: planning a million rows, running many, reusing what is answered.

Peak memory is what the operating system says of a child process once it has ended; Windows says nothing.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import MEGABYTE, PROMPTRUN, Process, against, environment, log_of, simulator, table, watched

FEW, RUN, MANY = 10_000, 100_000, 1_000_000
NOTHING = 10**12
BEFORE_RESUME = 10_000
"""Answers of the sitting that is interrupted; the next one goes on from there."""

MORE = 50 * MEGABYTE
PLAN_SECONDS, REUSE_SECONDS, RESUME_SECONDS = 60, 2, 20


def write_job(folder: Path, rows: int) -> Path:
    """The spec; files that are there already stay as they are, since a sitting goes on with the same ones."""
    spec = folder / f"job-{rows}.yaml"
    if spec.exists():
        return spec
    with (folder / f"rows-{rows}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ticket", "subject", "text"])
        writer.writerows(
            (f"T-{n}", f"Subject {n}", f"The printer on floor {n % 97} is out of paper.") for n in range(rows)
        )
    spec.write_text(
        "model: claude-haiku-5-5\nmax_tokens: 300\nsystem: You sort tickets.\n"
        f"prompt: '{{{{ subject }}}}: {{{{ text }}}}'\ninputs: {{file: rows-{rows}.csv, id: ticket}}\n",
        encoding="utf-8",
    )
    return spec


def plan(folder: Path, rows: int) -> Process:
    return watched([*PROMPTRUN, "plan", str(write_job(folder, rows))])


def command_of(folder: Path, rows: int) -> list[str]:
    spec, outputs = write_job(folder, rows), str(folder / "outputs")
    return [*PROMPTRUN, "run", str(spec), "--concurrency", "100", "--output-dir", outputs, "--yes"]


def run(folder: Path, rows: int, url: str) -> Process:
    """One sitting; a second one finds every answer of the first."""
    return watched(command_of(folder, rows), {"ANTHROPIC_BASE_URL": url})


def interrupted(folder: Path, rows: int, url: str, answers: int) -> Process:
    """A sitting that gets Ctrl-C after so many requests more. seconds: to the first of them."""
    command, before, begun = command_of(folder, rows), log_of(url)["messages"], time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment({"ANTHROPIC_BASE_URL": url}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = None
    while (asked := log_of(url, after=NOTHING)["messages"] - before) < answers and process.poll() is None:
        if asked and seconds is None:
            seconds = time.perf_counter() - begun
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, status, used = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if seconds is None or code != 130:
        raise SystemExit(f"the sitting that was to be interrupted ended with {code}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Process(code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit, "", "")


def row(what: str, rows: int, process: Process, few: Process | None = None, seconds: float | None = None) -> list[str]:
    more = process.peak - few.peak if few else None
    return [
        what,
        f"{rows:,}",
        f"{process.seconds:.1f}" + (f" (≤ {seconds}: {against(process.seconds, seconds)})" if seconds else ""),
        f"{process.peak / MEGABYTE:.0f}",
        f"{more / MEGABYTE:+.0f} ({against(more, MORE)})" if more is not None else "",
    ]


def measure() -> list[str]:
    if sys.platform == "win32":
        return ["## Large jobs", "", "Not measured: Windows tells no peak memory of an ended process."]
    with tempfile.TemporaryDirectory() as name, simulator() as url:
        folder = Path(name)
        few, many = plan(folder, FEW), plan(folder, MANY)
        ran, ran_many = run(folder, FEW, url), run(folder, RUN, url)
        before = log_of(url)["messages"]
        again = run(folder, FEW, url)
        asked = log_of(url)["messages"] - before
        interrupted(folder, MANY, url, BEFORE_RESUME)
        resumed = interrupted(folder, MANY, url, 1_000)
    lines = [
        row("plan", FEW, few),
        row("plan", MANY, many, few, PLAN_SECONDS),
        row("run", FEW, ran),
        row("run", RUN, ran_many, ran),
        row(f"the same run again ({asked:,} sent)", FEW, again, seconds=REUSE_SECONDS),
        row(f"going on after {BEFORE_RESUME:,} answers, to the first request", MANY, resumed, ran, RESUME_SECONDS),
    ]
    return [
        "## Large jobs",
        "",
        f"CSV rows, whole commands. Targets: at most {MORE // MEGABYTE} MB more than with {FEW:,} rows; planning a"
        f" million in {PLAN_SECONDS} s; {FEW:,} reused requests in {REUSE_SECONDS} s; going on with a million, the"
        f" first request after {RESUME_SECONDS} s. A million requests to a simulator would take half an hour:"
        f" {RUN:,} are sent here, without latency, 100 at a time.",
        "",
        *table(["command", "rows", "seconds", "peak memory, MB", f"above {FEW:,}"], lines),
    ]


if __name__ == "__main__":
    print("\n".join(measure()))
