"""A million rows that are answered in part or in whole: going on with their run, and asking for them once more.

The answers are written as a run of half an hour would have left them when it was killed: its first result, again for
every other row. Planning the same rows anew is measured beside it, on the same machine in the same minutes.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from measuring import MEGABYTE, PROMPTRUN, Process, against, environment, table, watched
from memory import FEW, MORE, PLAN_SECONDS, REUSE_SECONDS, command_of, run, write_job

ROWS = 1_000_000
LEFT = 1_000
"""Requests without an answer where nearly all have one."""
SECONDS = 20
REPLY = {
    "id": "msg_benchmark",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "A reply of about forty words. " * 7}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 30, "output_tokens": 60},
}


@dataclass
class Server:
    """Answers every request at once and knows when the first one came."""

    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)


@contextmanager
def server() -> Iterator[Server]:
    made, body = Server(), json.dumps(REPLY).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            made.asked.set()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    class Listener(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that is killed hangs up."""

    listener = Listener(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{listener.server_address[1]}"
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        listener.shutdown()


def to_first_request(spec: Path, at: Server, *, to_its_end: bool = False) -> float:
    """Seconds; the run is killed a moment later, unless it may go on to its end."""
    at.asked.clear()
    command = [*PROMPTRUN, "run", str(spec), "--output-dir", str(spec.parent / "outputs"), "--quiet", "--yes"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment({"ANTHROPIC_BASE_URL": at.url}), stdout=subprocess.DEVNULL)
    while not at.asked.wait(0.01):
        if process.poll() is not None:
            raise SystemExit(f"the run ended with {process.returncode} before it sent anything")
    seconds = time.perf_counter() - begun
    if not to_its_end:
        time.sleep(2)  # for a first result
        process.send_signal(signal.SIGKILL)
    if process.wait() not in (0, -signal.SIGKILL):
        raise SystemExit(f"the run ended with {process.returncode}")
    return seconds


def answer(folder: Path, count: int) -> int:
    """Make a run that was killed one whose first requests are answered, all others not; gives how many are."""
    with (folder / "results.jsonl").open("rb") as results, (folder / "journal.jsonl").open("rb") as journal:
        result = of_any(json.loads(results.readline()))
        sent = of_any(json.loads(journal.readline()))
    with (
        closing(sqlite3.connect(folder / "plan.db")) as plan,
        (folder / "results.jsonl").open("w", encoding="utf-8") as results,
        (folder / "journal.jsonl").open("w", encoding="utf-8") as journal,
    ):
        for n, id, key in plan.execute("SELECT n, id, key FROM request WHERE n < ? ORDER BY n", (count,)):
            results.write(result % (n, id, key.hex()))
            journal.write(sent % (n, id))
    return count


def of_any(line: dict[str, object]) -> str:
    """The line of any request: its number, its id and, where it has one, its key are to be filled in with `%`."""
    text = json.dumps(line, separators=(",", ":")).replace("%", "%%")
    for name, mark in (("n", "%d"), ("id", '"%s"'), ("key", '"%s"')):
        if name in line:
            text = text.replace(f'"{name}":{json.dumps(line[name])}', f'"{name}":{mark}', 1)
    return text + "\n"


def again(folder: Path, rows: int, url: str) -> tuple[Process, Process]:
    """(planning, running) rows of which every one is answered by an earlier run."""
    spec, env = write_job(folder, rows), {"ANTHROPIC_BASE_URL": url}
    planned = watched([*PROMPTRUN, "plan", str(spec), "--output-dir", str(folder / "outputs")], env)
    if f"{rows:,} reused" not in planned.out:
        raise SystemExit(f"not everything was answered: {planned.out}")
    return planned, watched(command_of(folder, rows), env)


def row(what: str, rows: int, answered: int, seconds: float, most: float | None = None) -> list[str]:
    target = f" (≤ {most}: {against(seconds, most)})" if most else ""
    return [what, f"{rows:,}", f"{answered:,}", f"{seconds:.1f}{target}", "", ""]


def with_memory(cells: list[str], process: Process, few: Process | None = None) -> list[str]:
    more = process.peak - few.peak if few else None
    above = f"{more / MEGABYTE:+.0f} ({against(more, MORE)})" if more is not None else ""
    return [*cells[:4], f"{process.peak / MEGABYTE:.0f}", above]


def measure() -> list[str]:
    if os.name == "nt":
        return ["## Going on with a million", "", "Not measured: it needs a signal that Windows does not have."]
    with tempfile.TemporaryDirectory() as name, server() as at:
        folder = Path(name)
        spec = write_job(folder, ROWS)
        anew = to_first_request(spec, at)
        (killed,) = (folder / "outputs").glob("*/2*")
        half = answer(killed, ROWS // 2)
        half_seconds = to_first_request(spec, at)
        most = answer(killed, ROWS - LEFT)
        most_seconds = to_first_request(spec, at, to_its_end=True)
        plan_many, run_many = again(folder, ROWS, at.url)
        run(folder, FEW, at.url)  # a run that answers them
        plan_few, run_few = again(folder, FEW, at.url)
    rows = [
        row("a new run, to its first request", ROWS, 0, anew),
        row("the same, killed and started again", ROWS, half, half_seconds, SECONDS),
        row("the same", ROWS, most, most_seconds, SECONDS),
        with_memory(row("`plan` once it is finished", FEW, FEW, plan_few.seconds), plan_few),
        with_memory(row("`plan`", ROWS, ROWS, plan_many.seconds, PLAN_SECONDS), plan_many, plan_few),
        with_memory(row("`run`, which sends nothing", FEW, FEW, run_few.seconds, REUSE_SECONDS), run_few),
        with_memory(row("`run`", ROWS, ROWS, run_many.seconds), run_many, run_few),
    ]
    return [
        "## Going on with a million",
        "",
        "CSV rows, from the start of the command to its first request at a server on loopback, or to its end. Targets:"
        f" the first request after {SECONDS} s; planning a million that are answered in {PLAN_SECONDS} s, reusing"
        f" {FEW:,} in {REUSE_SECONDS} s; at most {MORE // MEGABYTE} MB more than with {FEW:,} rows.",
        "",
        *table(["command", "rows", "answered", "seconds", "peak memory, MB", f"above {FEW:,}"], rows),
    ]


if __name__ == "__main__":
    print("\n".join(measure()), file=sys.stdout)
