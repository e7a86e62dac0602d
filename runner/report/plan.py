"""What a run would send and may cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from runner.models.cost import estimated_tokens, input_cost_usd, worst_case_usd
from runner.records import ModelPlan, Plan
from runner.report.problems import problems_text
from runner.report.words import count, money, table


@dataclass(frozen=True, slots=True)
class ModelCost:
    """An estimate for one model. least_usd: the input alone; most_usd: every reply as long as max_tokens allows."""

    model: str
    requests: int
    input_tokens: int
    max_output_tokens: int
    least_usd: float | None
    most_usd: float | None


def model_cost(plan: ModelPlan) -> ModelCost:
    """Tokens are estimated from the size of the bodies; money is None without a known price."""
    tokens = estimated_tokens(plan.body_bytes)
    requests = max(plan.requests, 1)
    most = worst_case_usd(plan.model, plan.body_bytes // requests, plan.max_output_tokens // requests)
    return ModelCost(
        model=plan.model,
        requests=plan.requests,
        input_tokens=tokens,
        max_output_tokens=plan.max_output_tokens,
        least_usd=input_cost_usd(plan.model, tokens, plan.requests),
        most_usd=None if most is None else most * plan.requests,
    )


def plan_text(job: str, plan: Plan, *, done: int = 0, command: str = "") -> str:
    """The plan for people. done: requests that an unfinished run has answered already; command: how to run it."""
    costs = [model_cost(model) for model in plan.models]
    lines = [f"{job}: {count(plan.requests, 'request')} = {_product(plan)}"]
    if plan.identical:
        lines.append(f"  {plan.identical:,} identical to an earlier one: sent once, answered for all")
    if plan.bad:
        lines.append(f"  {count(plan.bad, 'request')} cannot be sent and will be reported as failed")
    if done:
        lines.append(f"  goes on with an unfinished run: {done:,} answered, {plan.requests - done:,} left")
    if costs:
        lines += ["", cost_table(costs), *_unpriced(costs)]
    warnings = problems_text([*plan.problems, *plan.warnings])
    lines += ["", warnings] if warnings else []
    return "\n".join([*lines, "", f"next     {command}"]) if command else "\n".join(lines)


def plan_json(job: str, plan: Plan, *, done: int = 0) -> str:
    """The same as one JSON object on one line."""
    tree: dict[str, Any] = {
        "job": job,
        "plan_hash": plan.hash,
        **{name: getattr(plan, name) for name in ("requests", "rows", "cells", "repeat", "identical", "bad")},
        "done": done,
        "models": [{name: getattr(cost, name) for name in cost.__slots__} for cost in map(model_cost, plan.models)],
        "problems": [
            {
                "rule": one.rule,
                "severity": one.severity,
                "what": one.what,
                "where": str(one.where or ""),
                "next": one.next,
            }
            for one in (*plan.problems, *plan.warnings)
        ],
    }
    return orjson.dumps(tree).decode()


def _product(plan: Plan) -> str:
    parts = [count(plan.rows, "row")]
    if plan.cells != 1:
        parts.append(count(plan.cells, "cell"))
    if plan.repeat != 1:
        parts.append(count(plan.repeat, "repeat"))
    return " × ".join(parts)


def cost_table(costs: list[ModelCost]) -> str:
    """One line a model: estimated input, the most output, and the range of the cost."""
    rows = [("model", "requests", "input (about)", "output (at most)", "cost")]
    for cost in costs:
        tokens = (f"{cost.input_tokens:,} tokens", f"{cost.max_output_tokens:,} tokens")
        rows.append((cost.model, f"{cost.requests:,}", *tokens, _range(cost.least_usd, cost.most_usd)))
    if len(costs) > 1 and all(cost.most_usd is not None for cost in costs):
        least, most = (sum(getattr(cost, name) or 0.0 for cost in costs) for name in ("least_usd", "most_usd"))
        requests = sum(cost.requests for cost in costs)
        rows.append(("all", f"{requests:,}", "", "", _range(least, most)))
    return table(rows, right=frozenset({1, 2, 3}))


def _range(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return "unknown"
    return f"{money(least)} for the input, at most about {money(most)}"


def _unpriced(costs: list[ModelCost]) -> list[str]:
    models = [cost.model for cost in costs if cost.most_usd is None]
    return [f"  no price is known for {', '.join(models)}: what it costs is not counted"] if models else []
