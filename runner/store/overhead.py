"""Journal lines of requests that belong to no row: cache warm-ups. They are paid for, and no result holds them."""

from __future__ import annotations

from typing import Any

from runner.records import Call, Failure, Request


def overhead_sent_line(prefix: str, request: Request, at: str, may_cost: float | None) -> dict[str, Any]:
    """About to be sent. It has no `n`: nothing comes of it but a warm cache."""
    return {"v": 1, "t": "sent", **_about(prefix, request), "at": at, "may_cost_usd": may_cost}


def overhead_line(prefix: str, request: Request, call: Call | None, failure: Failure | None) -> dict[str, Any]:
    """How it ended. call: None for a failure. The reply is not kept: it has no content."""
    line: dict[str, Any] = {"v": 1, "t": "overhead", **_about(prefix, request)}
    if call is not None:
        answer = call.to_json()
        served = (call.response or {}).get("model") or request.model
        line |= {"model": served, "simulated": call.simulated}
        line |= {name: answer[name] for name in ("usage", "cost_usd", "iterations", "attempts")}
    return line | {"failure": failure.to_json() if failure else None}


def _about(prefix: str, request: Request) -> dict[str, Any]:
    return {"for": "warm_up", "prefix": prefix, "model": request.model}
