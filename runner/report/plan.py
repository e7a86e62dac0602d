"""What a run would send and may cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from runner.models.estimate import Budgeted, ModelCost, PlanCost, halved, in_sum
from runner.prompts.changes import Changes
from runner.records import CachePlan, Plan
from runner.report.plan_changes import changes_json, changes_lines
from runner.report.problems import problems_text
from runner.report.words import count, money, table


def plan_text(job: str, plan: Plan, cost: PlanCost, *, changes: Changes | None = None, command: str = "") -> str:
    """The plan for people. changes: against earlier runs, None without any; command: how to run it."""
    lines = [f"{job}: {count(plan.requests, 'request')} = {_product(plan)}"]
    if plan.identical:
        lines.append(f"  {plan.identical:,} identical to an earlier one: sent once, answered for all")
    if plan.bad:
        lines.append(f"  {count(plan.bad, 'request')} cannot be sent and will be reported as failed")
    lines += changes_lines(changes)
    if cost.models:
        lines += ["", cost_table(cost.models), *cost_notes(cost)]
    if plan.fallbacks and cost.models:
        who = " or ".join(plan.fallbacks)
        lines.append(f"  what {who} declines goes to a fallback model, at its price; `fallbacks: off` turns that off")
    if plan.cache is not None:
        lines += ["", cache_text(plan.cache, cost)]
    if cost.budget is not None:
        lines += ["", *budget_lines(cost.budget, cost.most_usd)]
    warnings = problems_text([*plan.problems, *plan.warnings])
    lines += ["", warnings] if warnings else []
    return "\n".join([*lines, "", f"next     {command}"]) if command else "\n".join(lines)


def cache_text(cache: CachePlan, cost: PlanCost) -> str:
    """What is expected of the prompt cache, in a line."""
    written, read = (sum(getattr(one.sizes, name) for one in cost.models) for name in ("written", "read"))
    saved = in_sum(cost.models, lambda one: one.saved_usd)
    writes = f"{count(cache.writes, 'shared prefix', 'shared prefixes')} written once (about {written:,.0f} tokens"
    reads = f"read by {count(cache.reads, 'request')} (about {read:,.0f} tokens)"
    worth = f": {'saves' if saved > 0 else 'costs'} about {money(abs(saved))} of the live price" if saved else ""
    return f"cache    {writes}, {cache.ttl}), {reads}{worth}"


def budget_lines(budget: Budgeted, most: float | None) -> list[str]:
    """Whether the cap may end the run, and whether it holds the number of requests in flight down."""
    end = "all of it may cost more" if most is None else f"all of it costs {money(most)} at most"
    if most is not None and most > budget.usd:
        end = f"all of it may cost up to {money(most)}, and the run stops at the cap"
    held, lines = budget.reserved, [f"budget   {money(budget.usd)} over all sittings; {end}"]
    if 0 < budget.at_once < budget.wanted:
        few = f"  only {count(budget.at_once, 'request')} at once instead of {budget.wanted:,}"
        lines.append(f"{few}: the worst case of each is put aside, {money(held.mean)} on average; {held.lower}")
    return lines


def plan_json(job: str, plan: Plan, cost: PlanCost, *, changes: Changes | None = None) -> str:
    """The same as one JSON object on one line."""
    tree: dict[str, Any] = {
        "job": job,
        "plan_hash": plan.hash,
        **{name: getattr(plan, name) for name in ("requests", "rows", "cells", "repeat", "identical", "bad")},
        "done": changes.answered if changes else 0,
        "changes": changes_json(changes),
        "cache": plan.cache and {name: getattr(plan.cache, name) for name in plan.cache.__slots__},
        "fallbacks": list(plan.fallbacks),
        "models": [one.to_json() for one in cost.models],
        "prices": dict(cost.prices),
        "earlier_results": cost.earlier,
        "counted_requests": cost.counted,
        "notes": list(cost.notes),
        "most_usd": cost.most_usd,
        "budget": cost.budget and cost.budget.to_json(),
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


def cost_table(costs: Sequence[ModelCost]) -> str:
    """One line a model, and one for all of them.

    live, batch: from no output at all to all that `max_tokens` allows; at most: a bound, whatever the texts are.
    """
    rows: list[tuple[str, ...]] = [("model", "requests", "input tokens", "output tokens", "live", "batch", "at most")]
    rows += [_line(cost.sizes.model, [cost]) for cost in costs]
    if len(costs) > 1:
        rows.append(_line("all", costs))
    return table(rows, right=frozenset({1, 2, 3, 6}))


def _line(name: str, costs: Sequence[ModelCost]) -> tuple[str, ...]:
    least, full = in_sum(costs, lambda cost: cost.least_usd), in_sum(costs, lambda cost: cost.full_usd)
    requests = sum(cost.sizes.requests for cost in costs)
    output = sum(cost.sizes.max_output for cost in costs)
    most = money(in_sum(costs, lambda cost: cost.most_usd))
    prices = (_range(least, full), _range(halved(least), halved(full)), most)
    return name, f"{requests:,}", _input(costs), f"up to {output:,}", *prices


def _input(costs: Sequence[ModelCost]) -> str:
    """`about 20,000` when guessed, `about 20,000 ± 180` when counted on a sample, `20,000` when all was counted."""
    tokens = f"{sum(cost.sizes.tokens for cost in costs):,.0f}"
    margins = [cost.sizes.margin for cost in costs]
    if None in margins:
        return f"about {tokens}"
    margin = sum(margin or 0.0 for margin in margins)
    return f"about {tokens} ± {margin:,.0f}" if margin else tokens


def _range(least: float | None, full: float | None) -> str:
    return "unknown" if least is None or full is None else f"{money(least)} to {money(full)}"


def cost_notes(cost: PlanCost) -> list[str]:
    """What the table rests on, and what is not in it."""
    lines = [f"  {note}" for note in cost.notes]
    likely = in_sum(cost.models, lambda one: one.likely_usd)
    if cost.earlier and likely is not None:
        answers = f"answers as long as those of earlier runs ({count(cost.earlier, 'result')})"
        lines.append(f"  likely {money(likely)} live, {money(halved(likely))} as a batch: {answers}")
    if cost.counted:
        interval = "; the interval holds with 95 % confidence" if any(one.sizes.margin for one in cost.models) else ""
        lines.append(f"  input counted on {count(cost.counted, 'request')}{interval}")
    unpriced = [one.sizes.model for one in cost.models if one.most_usd is None]
    if unpriced:
        lines.append(f"  no price is known for {', '.join(unpriced)}: write it under `prices` to have it counted")
    return [*lines, f"  {prices_text(cost.prices)}"]


def prices_text(prices: Mapping[str, Any]) -> str:
    """`prices of 2026-11-22 (genai-prices 0.2.3), 1 of them the spec's own`."""
    day = f"prices of {prices['date']}" if prices["date"] else "prices of today"
    own = f", {len(prices['overrides'])} of them the spec's own" if prices["overrides"] else ""
    return f"{day} ({prices['source']} {prices['version'] or 'of unknown version'}){own}"
