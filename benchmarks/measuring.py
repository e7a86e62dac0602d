"""What every benchmark needs: processes and what they took, a simulator in a process of its own, medians, tables.

Decides nothing about what is measured.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = Path(os.environ.get("BENCHMARK_CHECKOUT", HERE.parent)).resolve()
"""The promptrun that is measured; another one to compare two versions in one go."""

PROMPTRUN = [sys.executable, "-m", "runner.cli"]
MEGABYTE = 1_000_000

_WATCH = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
seconds = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps({"code": done.returncode, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime,
    "peak": used.ru_maxrss * unit, "out": done.stdout, "err": done.stderr}))
"""

_SERVE = """
import json, sys
from runner.simulator.config import SimulatorConfig
from runner.simulator.server import serve
serve(SimulatorConfig(**json.loads(sys.argv[1])), 0, on_ready=lambda url: print(url, flush=True))
"""


@dataclass(frozen=True)
class Process:
    """An ended process. seconds: wall time; cpu: seconds, user and system; peak: bytes of memory at most."""

    code: int
    seconds: float
    cpu: float
    peak: int
    out: str
    err: str


def watched(command: Sequence[str], env: Mapping[str, str] | None = None, *, codes: Sequence[int] = (0,)) -> Process:
    """Run a command to its end. SystemExit for an exit code that is none of `codes`. POSIX only."""
    whole = [sys.executable, "-c", _WATCH, *command]
    done = subprocess.run(whole, env=environment(env), capture_output=True, check=True, text=True)
    process = Process(**json.loads(done.stdout))
    if process.code not in codes:
        raise SystemExit(f"{' '.join(command)} ended with {process.code}: {process.err[-2000:]}")
    return process


def answer(command: Sequence[str], env: Mapping[str, str] | None = None) -> Any:
    """What a command prints as JSON; what it says on stderr comes through."""
    done = subprocess.run(command, env=environment(env), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, with the measured promptrun first on the path and no account of anybody's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    return {**kept, "PYTHONPATH": str(CHECKOUT), "ANTHROPIC_API_KEY": "benchmark", **(more or {})}


@contextmanager
def simulator(**settings: Any) -> Iterator[str]:
    """The URL of a simulator in a process of its own. settings: fields of `SimulatorConfig`."""
    command = [sys.executable, "-c", _SERVE, json.dumps(settings)]
    process = subprocess.Popen(
        command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url:
            raise SystemExit(f"the simulator did not start with {settings}")
        yield url
    finally:
        process.kill()
        process.communicate()


def log_of(url: str, *, after: int = 0) -> Any:
    """What the simulator counted (`messages`, `statuses`, `cache_writes`, …), and its entries after so many."""
    address, headers = f"{url}/simulator/log?after={after}", {"x-api-key": "benchmark"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as response:  # noqa: S310 - loopback
        return json.load(response)


# ---------------------------------------------------------------- words


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (least–most)`."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


def against(value: float, target: float) -> str:
    """Whether a figure that must not be larger is as small as it must be."""
    return "met" if value <= target else "**missed**"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
