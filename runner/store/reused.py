"""The result line of a request that is not sent because its answer is known: of an earlier run, or of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.records import Call, Judgement, Request
from runner.store.money import was_answered


def reused_line(
    request: Request, answer: Mapping[str, Any], verdict: Judgement | None, *, job: str, run: str
) -> dict[str, Any]:
    """What was answered, with today's place, row and verdict. It was paid for when it was made, not now.

    answer: the result line that holds the answer, or one that itself reuses it: the new line names the original.
    verdict: None to keep the one that was written down.
    """
    first = answer.get("reused_from") or {name: answer[name] for name in ("run", "n", "id")}
    own = {
        **request.to_json(job=job, run=run),
        "calls": [],
        "checks": [],
        "row": dict(request.row),
        "billed_usd": 0.0,
        "reused_from": dict(first),
    }
    return {**answer, **own, **(_judged(answer, verdict) if verdict is not None else {})}


def _judged(answer: Mapping[str, Any], verdict: Judgement) -> dict[str, Any]:
    return {
        "status": verdict.status,
        "good": verdict.good or verdict.status == "ok",
        "text": verdict.text,
        "output": verdict.output,
        "citations": list(verdict.citations),
        "problems": list(verdict.problems),
        "tool_calls": list(verdict.tool_calls),
        "model": {**answer["model"], "switches": list(verdict.switches)},
    }


def calls_to_judge(answer: Mapping[str, Any]) -> Sequence[Call]:
    """The calls of a result line as a judge wants them; none when one of their replies was not kept (`run.keep`)."""
    calls = [call for call in answer.get("calls") or () if was_answered(call)]
    if any(not call.get("response") for call in calls):
        return ()
    return [
        Call(attempts=(), purpose=call["for"], turn=call["turn"], usage=call["usage"], response=call["response"])
        for call in calls
    ]
