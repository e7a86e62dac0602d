"""usage.json: what a run used and paid, from its tallies. Shapes and units are in schemas/usage.schema.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.models.usage import Tokens
from runner.store.attempts import AttemptTally
from runner.store.distribution import Distribution
from runner.store.money import Money
from runner.store.tally import ResultTally


def usage_json(
    manifest: Mapping[str, Any],
    tally: ResultTally,
    attempts: AttemptTally,
    *,
    seconds: float,
    cache_audit: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The whole file as JSON. seconds: of work, over all sittings."""
    total = tally.usage.total
    return {
        "v": 1,
        "job": manifest["job"],
        "run": manifest["run"],
        "simulated": manifest["simulated"],
        "requests": {"total": manifest["plan"]["requests"], "results": tally.results, "good": tally.good},
        "tokens": total.to_json(),
        "by_model": _by_model(tally),
        "asked": tally.lengths.to_json(),
        "prices": manifest.get("prices"),
        "cost": {
            "usd": tally.money.usd,
            "priced_usd": tally.money.priced_usd,
            "unpriced_models": sorted(tally.money.unpriced),
            "unpriced_results": tally.money.unpriced_results,
        },
        "cost_by_row": _cost_by_row(tally.money),
        "overhead": {"requests": attempts.overhead.count, "usd": attempts.overhead.usd},
        "unfinished": {"replies": attempts.unfinished.count, "usd": attempts.unfinished.usd},
        "maybe_billed": attempts.to_json(),
        "budget": _budget(manifest, tally, attempts),
        "reused": tally.reused,
        "cache": {
            "hit_rate": tally.cache_hit_rate,
            "saved_usd": _rounded(tally.saved_usd),
            "writes": tally.cache.writes,
            "reads": tally.cache.reads,
            "miss_reasons": dict(sorted(tally.cache.miss_reasons.items())),
            "audit": [dict(one) for one in cache_audit],
        },
        "attempts": {"sent": attempts.sent, "by_kind": dict(sorted(attempts.by_kind.items()))},
        "latency_seconds": _latency(tally.latency),
        "throughput": _throughput(tally, total, seconds),
    }


def _budget(manifest: Mapping[str, Any], tally: ResultTally, attempts: AttemptTally) -> dict[str, Any] | None:
    """The cap of the newest sitting and what is left of it; everything that may have been paid counts as spent."""
    cap = manifest["sittings"][-1].get("max_cost") if manifest.get("sittings") else None
    if cap is None:
        return None
    spent, maybe, assumed = tally.money.priced_usd, attempts.maybe_usd, attempts.assumed_usd
    return {
        "max_cost_usd": cap,
        "spent_usd": spent,
        "maybe_billed_usd": _rounded(maybe),
        "assumed_usd": _rounded(assumed),
        "left_usd": _rounded(max(0.0, cap - spent - maybe - assumed)),
    }


def _by_model(tally: ResultTally) -> dict[str, Any]:
    money = tally.money
    return {
        model: {
            "tokens": tokens.to_json(),
            "cost_usd": None if money.unpriced[model] else _rounded(money.by_model.get(model)),
        }
        for model, tokens in sorted(tally.usage.by_model.items())
    }


def _cost_by_row(money: Money) -> dict[str, Any]:
    rows = money.rows
    return {
        "rows": rows.count,
        "mean_usd": _rounded(rows.mean),
        "p50_usd": _rounded(rows.percentile(50)),
        "p95_usd": _rounded(rows.percentile(95)),
        "max": money.dearest,
    }


def _latency(latency: Distribution) -> dict[str, Any]:
    percents = {f"p{percent}": _rounded(latency.percentile(percent), 3) for percent in (50, 90, 95, 99)}
    return {"count": latency.count, **percents, "max": round(latency.largest, 3) if latency.count else None}


def _throughput(tally: ResultTally, total: Tokens, seconds: float) -> dict[str, Any]:
    def per_minute(count: int) -> float | None:
        return round(count * 60 / seconds, 1) if seconds > 0 else None

    return {
        "seconds": round(seconds, 3),
        "requests_per_minute": per_minute(tally.results - tally.reused),
        "input_tokens_per_minute": per_minute(total.prompt),
        "output_tokens_per_minute": per_minute(total.output),
    }


def _rounded(value: float | None, digits: int = 9) -> float | None:
    return None if value is None else round(value, digits)
