"""A run of three requests written by `store` itself, for faults that need every byte or a clock of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runner.records import Attempt, Call, ModelPlan, Plan, Request, Result, Source
from runner.store import describe_run, open_run
from runner.store.writer import RunWriter

MODEL = "claude-opus-5-5"
USAGE = {"input_tokens": 10, "output_tokens": 5}
PLAN = Plan("a" * 64, 3, rows=3, cells=1, repeat=1, identical=0, bad=0, models=[ModelPlan(MODEL, 3, 300, 1500)])
REQUESTS = [
    Request(n, f"row-{n}", {}, 0, f"{n:064x}", MODEL, 500, b"{}", Source("rows.csv", n + 2), row={"t": n})
    for n in range(3)
]


@dataclass
class HandClock:
    """Stands still until a test moves it; `stamp`, the time of day, also backwards."""

    stamp: str = "2026-11-22T09:28:11.123Z"
    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def utc(self) -> str:
        return self.stamp


@dataclass
class Written:
    """The job below `root`."""

    root: Path
    clock: HandClock = field(default_factory=HandClock)

    def open(self) -> RunWriter:
        spec = self.root / "job.yaml"
        spec.write_text("prompt: hi\n", encoding="utf-8")
        manifest = describe_run(job="job", spec=spec, root=self.root, arguments=["run", "job.yaml"])
        return open_run(self.root / "outputs" / "job", manifest=manifest, plan=PLAN, clock=self.clock)

    def half_done(self) -> Path:
        """An interrupted run: the first request has its result, the second the reply to its first turn."""
        with self.open() as run:
            run.sent(REQUESTS[0], 1, self.clock.utc(), 0.01)
            run.done(answer(0))
            run.sent(REQUESTS[1], 1, self.clock.utc(), 0.01)
            run.replied(REQUESTS[1], call(1), 0)
            run.finish(end="interrupted")
            return run.folder


def call(n: int) -> Call:
    attempt = Attempt(1, "2026-11-22T09:28:11.123Z", 0.5, 200, f"req_{n}")
    message = {"type": "message", "content": [{"type": "text", "text": f"answer {n} ✓"}], "usage": USAGE}
    return Call([attempt], usage=USAGE, cost_usd=0.01, response=message)


def answer(n: int) -> Result:
    return Result(
        REQUESTS[n], "ok", [call(n)], f"answer {n} ✓", "end_turn", served=MODEL, usage=USAGE, cost_usd=0.01,
        billed_usd=0.01,
    )  # fmt: skip
