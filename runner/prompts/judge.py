"""What the calls of a request amount to: status, whether it is good, text and output. Pure functions over JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.prompts.after import after_of
from runner.prompts.conversation import checked
from runner.prompts.follow import goes_on, next_call
from runner.prompts.replies import blocks, citations_of, text_of, whole_reply
from runner.prompts.stop_reasons import is_good, status_of
from runner.prompts.tools import switches, tool_calls
from runner.records import Call, Failure, Json, Judgement, Request, Status


def judge(request: Request, calls: Sequence[Call]) -> Judgement:
    """The verdict on calls that were all answered, at least one, and that nothing follows."""
    after, reply = after_of(request), whole_reply(calls)
    status: Status = status_of(request, reply)
    output, problems = checked(after, reply) if status == "ok" else (None, _cut_off(reply))
    if status == "ok" and problems:
        status = "invalid"
    verdict = Judgement(
        status,
        is_good(request, status),
        text_of(reply),
        output,
        citations_of(reply),
        tuple(problems),
        tool_calls=tool_calls(reply),
        switches=switches(reply),
    )
    return _of_dialogue(request, calls, verdict) if after.turns else verdict


def _cut_off(reply: Mapping[str, Json]) -> tuple[str, ...]:
    return ("thinking took all of `max_tokens`, so that no text was written",) if _only_thought(reply) else ()


def _only_thought(reply: Mapping[str, Json]) -> bool:
    """Whether `max_tokens` ended the reply while the model was still thinking."""
    if reply.get("stop_reason") != "max_tokens" or text_of(reply):
        return False
    details = (reply.get("usage") or {}).get("output_tokens_details") or {}
    thought = (
        details.get("thinking_tokens") or any(blocks(reply, "thinking")) or any(blocks(reply, "redacted_thinking"))
    )
    return bool(thought) and not any(blocks(reply, "tool_use"))


def _of_dialogue(request: Request, calls: Sequence[Call], verdict: Judgement) -> Judgement:
    """A conversation that stopped before its last turn is not good; one whose next turn cannot be asked has failed."""
    following = next_call(request, calls, "turn")
    if following is None:
        return verdict
    if goes_on(request, calls):
        failure = following if isinstance(following, Failure) else Failure("bad_row", "the next turn was not asked")
        return Judgement("failed", good=False, problems=(failure.message,), failure=failure)
    why = f"the conversation ended with turn {calls[-1].turn + 1}, before the end of its script"
    return replace(verdict, good=False, problems=(*verdict.problems, why))
