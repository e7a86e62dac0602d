"""Sending at the account's limit, which nobody told: time against the least possible, and how often a 429 came.

The least possible is what the bucket allows: what it holds at first goes at once, the rest as it fills up again, and
the last reply takes its latency. The simulator's own clock is read, from the first request to the last reply.
"""

from __future__ import annotations

import csv
import json
import random
import statistics
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeAlias

from measuring import PROMPTRUN, against, log_of, simulator, spread, table, watched

SEEDS, ROWS, LATENCY = 5, 400, 0.2
MODEL = "claude-haiku-5-5"
REQUESTS, BURST = 1_200, 20
INPUT, OUTPUT = 200, 80
"""About how many tokens a row asks and how many it is answered with."""

Entry: TypeAlias = Mapping[str, Any]
"""A request in the simulator's log."""

OF_REQUESTS = {"requests_per_minute": REQUESTS, "burst_requests": BURST}


@dataclass(frozen=True)
class Case:
    """A server and what sending to it may take. config: fields of `SimulatorConfig`; kind: which bucket decides.

    time, rejected: the targets, a ratio and a share. rival: requests a second that another client makes meanwhile.
    halves_at: seconds after which the limit is half of what it was; 0 for one that stays.
    """

    name: str
    config: Mapping[str, Any]
    kind: str = "requests"
    time: float = 1.03
    rejected: float = 0.01
    rival: float = 0.0
    halves_at: float = 0.0

    def least_seconds(self, asked: Sequence[Entry], taken: float) -> float:
        """asked: what the simulator logged of our requests; taken: requests a second that others were answered."""
        amount = ROWS if self.kind == "requests" else sum(entry[self.kind] for entry in asked)
        rate = self.config[f"{self.kind}_per_minute"] / 60 - taken
        seconds = max(0.0, (amount - self.config[f"burst_{self.kind}"]) / rate)
        if 0 < self.halves_at < seconds:
            seconds = self.halves_at + 2 * (seconds - self.halves_at)
        return seconds + LATENCY


HALVES_AT = 8.0
FREE = {"requests_per_minute": 60_000}
CASES = [
    Case("1,200 requests a minute", OF_REQUESTS),
    Case(
        "input tokens",
        {**FREE, "input_tokens_per_minute": REQUESTS * INPUT, "burst_input_tokens": BURST * INPUT},
        kind="input_tokens",
    ),
    Case(
        "output tokens",
        {**FREE, "output_tokens_per_minute": REQUESTS * OUTPUT, "burst_output_tokens": BURST * OUTPUT},
        kind="output_tokens",
    ),
    Case("requests, half of them another client's", OF_REQUESTS, time=1.05, rejected=0.03, rival=REQUESTS / 120),
    Case(
        f"requests, half as many from {HALVES_AT:.0f} s on",
        {**OF_REQUESTS, "limit_change": (HALVES_AT, 0.5)},
        time=1.10,
        rejected=0.02,
        halves_at=HALVES_AT,
    ),
    Case("requests, and no headers", {**OF_REQUESTS, "limit_headers": "none"}, time=1.2, rejected=0.05),
    Case("requests, a bucket smaller than its headers say", {**OF_REQUESTS, "minute_headers": True}),
]

SENTENCE = "The printer on floor {} is out of paper, and the whole building waits. "


@dataclass(frozen=True)
class Outcome:
    """What became of one run. ratio: its time to the least; rejected: 429s for each attempt."""

    ratio: float
    rejected: float
    failed: int


def write_job(folder: Path, seed: int) -> Path:
    rng = random.Random(seed)
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ticket", "text"])
        rows = ((f"T-{n}", SENTENCE.format(n) * rng.randint(1, 20)) for n in range(ROWS))
        writer.writerows(rows)
    spec = folder / "job.yaml"
    job = {"model": MODEL, "max_tokens": 300, "fallbacks": "off", "prompt": "Sort this.\n{{ text }}"}
    spec.write_text(json.dumps({**job, "inputs": {"file": "rows.csv", "id": "ticket"}}), encoding="utf-8")
    return spec


def run(case: Case, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, simulator(latency=LATENCY, seed=seed, **case.config) as url:
        spec = write_job(Path(folder), seed)
        command = [*PROMPTRUN, "run", str(spec), "--output-dir", folder, "--format", "json", "--quiet"]
        with rival(url, case.rival):
            done = watched(command, {"ANTHROPIC_BASE_URL": url}, codes=(0, 1, 75))
        entries = [entry for entry in log_of(url)["entries"] if entry["ordinal"]]
    asked = [entry for entry in entries if is_ours(entry)]
    begun, seconds = begun_and_seconds(asked)
    others = [entry for entry in entries if not is_ours(entry) and 0 <= entry["at"] - begun <= seconds]
    taken = sum(entry["status"] == 200 for entry in others) / seconds
    return Outcome(
        ratio=seconds / case.least_seconds(asked, taken),
        rejected=sum(entry["status"] == 429 for entry in asked) / len(asked),
        failed=ROWS - json.loads(done.out)["good"],
    )


def begun_and_seconds(asked: Sequence[Entry]) -> tuple[float, float]:
    """When the first request came, and how long after that the last reply ended, by the simulator's clock."""
    begun = min(entry["at"] for entry in asked)
    return begun, max(entry["ended"] for entry in asked) - begun


def is_ours(entry: Entry) -> bool:
    return not entry["headers"].get("user-agent", "").startswith("Python-urllib")


@contextmanager
def rival(url: str, rate: float) -> Iterator[None]:
    """Another client of the account, which sends about so many requests a second, whatever it is told."""
    if not rate:
        yield
        return
    body = json.dumps({"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = {"x-api-key": "rival", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    over = Event()

    def send() -> None:
        with suppress(OSError):
            asked = urllib.request.Request(f"{url}/v1/messages", body, headers)  # noqa: S310 - loopback
            urllib.request.urlopen(asked).close()  # noqa: S310

    def sending() -> None:
        with ThreadPoolExecutor(8) as pool:
            while not over.wait(1 / rate):
                pool.submit(send)

    thread = Thread(target=sending)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def row_of(case: Case) -> list[str]:
    """The seeds run side by side: they wait nearly all of the time, and each has a server of its own."""
    with ThreadPoolExecutor(SEEDS) as pool:
        found = list(pool.map(lambda seed: run(case, seed), range(SEEDS)))
    ratios, rejected = [one.ratio for one in found], [one.rejected * 100 for one in found]
    met = [
        against(statistics.median(ratios), case.time),
        against(statistics.median(rejected), case.rejected * 100),
        against(max(one.failed for one in found), 0),
    ]
    cells = [case.name, spread(ratios, 3), f"≤ {case.time:.2f} {met[0]}", f"{spread(rejected)} %"]
    return [*cells, f"≤ {case.rejected:.0%} {met[1]}", f"{sum(one.failed for one in found)} {met[2]}"]


def measure() -> list[str]:
    head = ["limits of the server", "time / least", "target", "429s an attempt", "target", "failed rows"]
    return [
        "## At the account's limit",
        "",
        f"{ROWS} rows, {LATENCY * 1e3:.0f} ms a reply, limits not told, {SEEDS} seeds: median (least–most). The least"
        " time is what the server's bucket allows: (what is asked − what it holds at first) / rate + one reply.",
        "",
        *table(head, [row_of(case) for case in CASES]),
    ]


if __name__ == "__main__":
    print("\n".join(measure()))
