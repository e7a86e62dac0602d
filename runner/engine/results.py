"""The calls of a request and what they amount to → its one `Result`. Pure but for the price table.

What an answer is worth is not decided here: that is a `Judgement`, which the engine is given the maker of.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Any

from runner.models.cost import iteration_costs, message_cost_usd
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.usage_sums import summed_usage
from runner.records import Attempt, Call, Failure, Judgement, NextCall, Reply, Request, Result


def call_of(
    request: Request,
    reply: Reply,
    attempts: Sequence[Attempt],
    asked: NextCall | None,
    prices: PriceTable = LIST_PRICES,
) -> Call:
    """The call that a reply ends, priced by the model that served it. asked: None for a request's first call."""
    return Call(
        attempts=attempts,
        purpose=asked.purpose if asked else "turn",
        turn=asked.turn if asked else 0,
        usage=reply.message.get("usage"),
        cost_usd=message_cost_usd(reply.message, request.model, prices),
        response=reply.message,
        iterations=iteration_costs(reply.message, request.model, prices),
        simulated=reply.simulated,
    )


def answered(request: Request, calls: Sequence[Call], judgement: Judgement) -> Result:
    """The result of calls that were all answered, at least one."""
    return _result(
        request,
        calls,
        status=judgement.status,
        text=judgement.text,
        failure=judgement.failure,
        accepted=judgement.good,
        output=judgement.output,
        citations=judgement.citations,
        problems=judgement.problems,
        tool_calls=judgement.tool_calls,
        switches=judgement.switches,
    )


def failed(
    request: Request,
    failure: Failure,
    attempts: Sequence[Attempt] = (),
    *,
    calls: Sequence[Call] = (),
    asked: NextCall | None = None,
) -> Result:
    """The result of a request that was given up, or never sent when there are no attempts.

    calls: those that were answered before; attempts: of the call that was not, which `asked` describes.
    """
    if not attempts:
        return _result(request, calls, status="failed", failure=failure)
    last = Call(attempts, asked.purpose, asked.turn) if asked else Call(attempts)
    return _result(request, [*calls, last], status="failed", failure=failure)


def bad_row(request: Request) -> Result:
    """The result of a request that cannot be sent because of what its row holds."""
    problem = request.problem
    what = "" if problem is None else ": ".join(part for part in (problem.path, problem.what) if part)
    return failed(request, Failure("bad_row", what))


def _result(request: Request, calls: Sequence[Call], **verdict: Any) -> Result:
    """usage and cost: of all calls; stop reason and model: the last reply's. This run paid for all of them."""
    replied = [call for call in calls if call.response is not None]
    if not replied:
        return Result(request=request, calls=list(calls), **verdict)
    last = replied[-1].response or {}
    cost = total_cost(replied)
    return Result(
        request=request,
        calls=calls,
        stop_reason=last.get("stop_reason"),
        stop_details=last.get("stop_details"),
        served=last.get("model") or request.model,
        usage=summed_usage([call.usage for call in replied if call.usage is not None]),
        cost_usd=cost,
        billed_usd=cost,
        simulated=any(call.simulated for call in replied),
        **verdict,
    )


def total_cost(calls: Sequence[Call]) -> float | None:
    """US dollars; None as soon as one of them has no known price."""
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    return round(fsum(costs), 12) if len(costs) == len(calls) else None
