"""Going on with a million rows: from the start of the command to its first request, with half of them answered.

The answers are written as a run of half an hour would have left them when it was killed: its first results, again for
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

from measuring import PROMPTRUN, against, environment, table
from memory import write_job

ROWS = 1_000_000
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


def to_first_request(spec: Path, at: Server) -> float:
    """Seconds; the run is killed a moment later."""
    at.asked.clear()
    command = [*PROMPTRUN, "run", str(spec), "--output-dir", str(spec.parent / "outputs"), "--quiet", "--yes"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment({"ANTHROPIC_BASE_URL": at.url}), stdout=subprocess.DEVNULL)
    while not at.asked.wait(0.01):
        if process.poll() is not None:
            raise SystemExit(f"the run ended with {process.returncode} before it sent anything")
    seconds = time.perf_counter() - begun
    time.sleep(2)  # for a first result
    process.send_signal(signal.SIGKILL)
    process.wait()
    return seconds


def answer_half(folder: Path) -> int:
    """Make a run that was killed at its beginning one that was killed half-way; gives how many are answered."""
    with (folder / "results.jsonl").open("rb") as results, (folder / "journal.jsonl").open("rb") as journal:
        result, sent = json.loads(results.readline()), json.loads(journal.readline())
    with (
        closing(sqlite3.connect(folder / "plan.db")) as plan,
        (folder / "results.jsonl").open("w", encoding="utf-8") as results,
        (folder / "journal.jsonl").open("w", encoding="utf-8") as journal,
    ):
        for n, id, key in plan.execute("SELECT n, id, key FROM request WHERE n < ? ORDER BY n", (ROWS // 2,)):
            results.write(json.dumps(result | {"n": n, "id": id, "key": key.hex()}, separators=(",", ":")) + "\n")
            journal.write(json.dumps(sent | {"n": n, "id": id}, separators=(",", ":")) + "\n")
    return ROWS // 2


def measure() -> list[str]:
    if os.name == "nt":
        return ["## Going on with a million", "", "Not measured: it needs a signal that Windows does not have."]
    with tempfile.TemporaryDirectory() as name, server() as at:
        spec = write_job(Path(name), ROWS)
        anew = to_first_request(spec, at)
        (run,) = (Path(name) / "outputs").glob("*/2*")
        answered = answer_half(run)
        going_on = to_first_request(spec, at)
    rows = [
        ["a new run", "0", f"{anew:.1f}"],
        [
            "the same, killed and started again",
            f"{answered:,}",
            f"{going_on:.1f} (≤ {SECONDS}: {against(going_on, SECONDS)})",
        ],
    ]
    return [
        "## Going on with a million",
        "",
        f"{ROWS:,} CSV rows, from the start of the command to its first request at a server on loopback.",
        "",
        *table(["command", "answered", "seconds"], rows),
    ]


if __name__ == "__main__":
    print("\n".join(measure()), file=sys.stdout)
