"""Attempts and their last outcome → the one `Result` of a request. Pure but for the price table.

Stop reasons: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.models.cost import message_cost_usd
from runner.records import Attempt, Call, Failure, Json, Reply, Request, Result, Status

STATUS_OF: Mapping[str, Status] = {
    "end_turn": "ok",
    "stop_sequence": "ok",
    "tool_use": "tool_use",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
    "refusal": "refused",
    # Both stop in the middle of a turn that nobody takes up again yet, so the answer is a part of one.
    "pause_turn": "truncated",
    "compaction": "truncated",
}

UNKNOWN: Status = "invalid"
"""A stop reason of tomorrow: the reply was paid and is kept, is not asked for again, and does not pass for good."""


def answered(request: Request, reply: Reply, attempts: Sequence[Attempt]) -> Result:
    """The result a reply makes. billed_usd: what this run paid for it, by the price of the model that served it."""
    message = reply.message
    usage: Mapping[str, Json] | None = message.get("usage")
    cost = message_cost_usd(message, request.model)
    return Result(
        request=request,
        status=STATUS_OF.get(message["stop_reason"], UNKNOWN),
        calls=[Call(attempts, usage=usage, cost_usd=cost, response=message)],
        text=text_of(message),
        stop_reason=message["stop_reason"],
        stop_details=message.get("stop_details"),
        served=message.get("model") or request.model,
        usage=usage,
        cost_usd=cost,
        billed_usd=cost,
        simulated=reply.simulated,
    )


def failed(request: Request, failure: Failure, attempts: Sequence[Attempt] = ()) -> Result:
    """The result of a request that was given up, or never sent when there are no attempts."""
    calls = [Call(attempts)] if attempts else []
    return Result(request=request, status="failed", calls=calls, failure=failure)


def bad_row(request: Request) -> Result:
    """The result of a request that cannot be sent because of what its row holds."""
    problem = request.problem
    what = "" if problem is None else ": ".join(part for part in (problem.path, problem.what) if part)
    return failed(request, Failure("bad_row", what))


def text_of(message: Mapping[str, Any]) -> str:
    """The text blocks of a message, joined; "" when there are none."""
    texts = (block.get("text") for block in message["content"] if block.get("type") == "text")
    return "".join(text for text in texts if isinstance(text, str))
