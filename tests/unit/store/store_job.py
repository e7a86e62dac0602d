"""A small job for the store's tests: requests, results and a clock that goes where a test says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.models.cost import cost_usd
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.records import Attempt, Call, Failure, ModelPlan, Plan, Request, Result, Source
from runner.store import describe_run, open_run

MODEL = "claude-opus-5-5"
USAGE = {"input_tokens": 1000, "output_tokens": 500}


@dataclass
class HandClock:
    """A clock that stands still until a test moves it."""

    stamp: str = "2026-11-22T09:28:11.123Z"
    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def utc(self) -> str:
        return self.stamp


def plan_of(total: int, **changes: Any) -> Plan:
    models = [ModelPlan(MODEL, total, total * 100, total * 500)]
    plan = Plan("a" * 64, total, rows=total, cells=1, repeat=1, identical=0, bad=0, models=models)
    return replace(plan, **changes)


def request(n: int, **changes: Any) -> Request:
    made = Request(
        n, f"row-{n}", {}, 0, f"{n:064x}", MODEL, 500, b"{}", Source("data/rows.csv", n + 2), row={"text": f"text {n}"}
    )
    return replace(made, **changes)


def attempt(n: int = 1, failure: Failure | None = None, seconds: float = 0.5) -> Attempt:
    status = failure.http_status if failure else 200
    return Attempt(n, "2026-11-22T09:28:11.123Z", seconds, status, f"req_{n}", failure, {"request-id": f"req_{n}"})


def ok(n: int, *, usage: dict[str, Any] = USAGE, model: str = MODEL, **changes: Any) -> Result:
    cost = cost_usd(usage, model)
    message = {"type": "message", "content": [{"type": "text", "text": f"answer {n}"}], "usage": usage}
    call = Call([attempt()], usage=usage, cost_usd=cost, response=message)
    made = Result(
        request(n), "ok", [call], f"answer {n}", "end_turn", served=model, usage=usage, cost_usd=cost, billed_usd=cost
    )
    return replace(made, **changes)


def failed(n: int, kind: str = "overloaded", message: str = "Overloaded", status: int | None = 529) -> Result:
    failure = Failure(kind, message, status)
    return Result(request(n), "failed", [Call([attempt(failure=failure)])], failure=failure)


@dataclass
class Job:
    """One job in a temporary outputs folder."""

    root: Path
    clock: HandClock = field(default_factory=HandClock)

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def folder(self) -> Path:
        return self.outputs / "triage"

    def manifest(self, **changes: Any) -> dict[str, Any]:
        spec = self.root / "triage.yaml"
        spec.write_text("prompt: hi\n", encoding="utf-8")
        return describe_run(job="triage", spec=spec, root=self.root, arguments=["run", "triage.yaml"]) | changes

    def open(
        self,
        total: int = 3,
        *,
        fresh: bool = False,
        limited: bool = False,
        prices: PriceTable = LIST_PRICES,
        **changes: Any,
    ):
        manifest, plan = self.manifest(limited=limited), plan_of(total, **changes)
        return open_run(self.folder, manifest=manifest, plan=plan, fresh=fresh, clock=self.clock, prices=prices)

    def run(self, *results: Result, total: int | None = None, end: str = "complete", **options: Any):
        """One sitting that writes these results; returns (folder, summary)."""
        with self.open(total if total is not None else len(results), **options) as run:
            for result in results:
                run.sent(result.request, 1, self.clock.utc(), 0.018)
                if result.failure:
                    run.attempt_failed(result.request, result.calls[0].attempts[-1])
                run.done(result)
            return run.folder, run.finish(end=end)
