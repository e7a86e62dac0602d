"""What comes of a request: the calls that were made for it, and the result they amount to; what ended a sitting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from runner.records.attempts import Attempt, Failure
from runner.records.requests import Json, Request

Status: TypeAlias = Literal["ok", "tool_use", "truncated", "refused", "invalid", "failed"]
Purpose: TypeAlias = Literal["turn", "ask_again", "continue", "double"]


@dataclass(frozen=True, slots=True)
class Call:
    """One answer asked for on the way to a result.

    purpose: a `turn` of the conversation, or why it was asked once more: the reply was not valid, it paused, or it
    ran out of tokens. iterations: what each model that worked on it cost. turn: the user turn it belongs to, from 0;
    one that `when` skips does not count.
    """

    attempts: Sequence[Attempt]
    purpose: Purpose = "turn"
    turn: int = 0
    usage: Mapping[str, Json] | None = None
    cost_usd: float | None = None
    response: Mapping[str, Json] | None = None
    simulated: bool = False
    iterations: Sequence[Json] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "for": self.purpose,
            "turn": self.turn,
            "usage": dict(self.usage) if self.usage is not None else None,
            "cost_usd": self.cost_usd,
            "iterations": list(self.iterations),
            "response": dict(self.response) if self.response is not None else None,
            "attempts": [attempt.to_json() for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True)
class NextCall:
    """The call to make after the ones that were answered. body: as in `Request`; max_tokens repeats what it says."""

    purpose: Purpose
    turn: int
    body: bytes = field(repr=False)
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the calls of a request amount to. problems: what is wrong with the answer, in words.

    good: whether the job wants such an answer. text: the text blocks of the last reply joined. output: the parsed
    structured output. failure: why the status is `failed` although every call was answered. tool_calls: of the last
    reply, those of client tools. switches: where one model's output gives way to another's, `{from, to, category}`.
    """

    status: Status
    good: bool
    text: str | None = None
    output: Json = None
    citations: Sequence[Json] = ()
    problems: Sequence[str] = ()
    failure: Failure | None = None
    tool_calls: Sequence[Json] = ()
    switches: Sequence[Json] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How one request ended: a line of results.jsonl (schemas/result.schema.json).

    cost_usd: what the answer cost when it was made, None without a known price. billed_usd: what this run paid.
    failure: the last one, when the status is `failed`. accepted: the job calls it good although it is not `ok`.
    problems: what is wrong with the answer, in words.
    """

    request: Request
    status: Status
    calls: Sequence[Call] = ()
    text: str | None = None
    stop_reason: str | None = None
    stop_details: Mapping[str, Json] | None = None
    served: str | None = None
    usage: Mapping[str, Json] | None = None
    cost_usd: float | None = None
    billed_usd: float | None = None
    failure: Failure | None = None
    reused_from: Mapping[str, Json] | None = None
    simulated: bool = False
    accepted: bool = False
    output: Json = None
    citations: Sequence[Json] = ()
    problems: Sequence[str] = ()
    tool_calls: Sequence[Json] = ()
    switches: Sequence[Json] = ()

    @property
    def answered(self) -> bool:
        """An answered request is never sent again unless asked (docs/design.md)."""
        return self.status != "failed"

    @property
    def good(self) -> bool:
        return self.status == "ok" or self.accepted

    def to_json(self, *, job: str, run: str) -> dict[str, Json]:
        request = self.request
        return {
            **request.to_json(job=job, run=run),
            "status": self.status,
            "good": self.good,
            "text": self.text,
            "output": self.output,
            "stop_reason": self.stop_reason,
            "stop_details": self.stop_details,
            "model": {"asked": request.model, "served": self.served, "switches": list(self.switches)},
            "usage": self.usage,
            "cost_usd": self.cost_usd,
            "billed_usd": self.billed_usd,
            "failure": self.failure.to_json() if self.failure else None,
            "calls": [call.to_json() for call in self.calls],
            "citations": list(self.citations),
            "tool_calls": list(self.tool_calls),
            "problems": list(self.problems),
            "checks": [],
            "row": dict(request.row),
            "reused_from": self.reused_from,
            "simulated": self.simulated,
        }


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the user's that ended a sitting: nothing failed, and running again goes on once it is raised.

    what: one line for people. next: what to raise, and what else would help. cap: which cap has to be raised before
    anything more is sent, and least_usd: to how many US dollars; "" and None when going on needs no other cap.
    """

    kind: Literal["max_cost", "deadline"]
    what: str
    next: str = ""
    cap: Literal["", "run.max_cost", "--max-cost"] = ""
    least_usd: float | None = None

    def to_json(self) -> dict[str, Json]:
        return {"kind": self.kind, "what": self.what}
