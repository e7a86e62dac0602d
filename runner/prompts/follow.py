"""Which call a request needs next, from the replies so far: a paused turn goes on, one that ran out of tokens may be
asked with twice as many, an invalid answer is asked for again, a script has a next turn.

Pure: the same request and calls give the same bytes. Every kind of call is bounded, so that every request ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import SpecError
from runner.prompts.after import MOST_ASKED_AGAIN, MOST_CONTINUATIONS, NOTHING, After, after_of
from runner.prompts.conversation import checked, conversation_of, doubled, next_body
from runner.prompts.faults import FieldFault
from runner.prompts.key import NotJson
from runner.prompts.replies import of_this_turn, said, whole_reply
from runner.prompts.stop_reasons import pauses, status_of
from runner.records import Call, Failure, NextCall, Purpose, Request
from runner.spec.template import TemplateFailure


def follow(request: Request, calls: Sequence[Call]) -> NextCall | None:
    """The call to make after these, at least one and all answered; None when there is none.

    A turn that cannot be rendered ends the conversation too; the judge says why.
    """
    purpose = repair_of(request, calls)
    if purpose is None and not goes_on(request, calls):
        return None
    found = next_call(request, calls, purpose or "turn")
    return None if isinstance(found, Failure) else found


def repair_of(request: Request, calls: Sequence[Call]) -> Purpose | None:
    """Why the last turn has to be asked about once more, if it has to."""
    after, reply = after_of(request), said(calls[-1])
    if after is NOTHING and not pauses(request, reply):
        return None
    if pauses(request, reply):
        return "continue" if _times(calls, "continue") < MOST_CONTINUATIONS else None
    if _may_double(request, after, calls):
        return "double"
    if status_of(request, reply) == "ok" and _may_ask_again(after, calls):
        return "ask_again"
    return None


def goes_on(request: Request, calls: Sequence[Call]) -> bool:
    """Whether a script's next turn may follow the last reply: one that is good, and no call of a client's tool."""
    after = after_of(request)
    if not after.turns:
        return False
    status = status_of(request, said(calls[-1]))
    if status == "truncated":
        return after.on_truncated == "accept" and not pauses(request, said(calls[-1]))
    return status == "ok" and not checked(after, whole_reply(calls))[1]


def next_call(request: Request, calls: Sequence[Call], purpose: Purpose) -> NextCall | Failure | None:
    """The call for this purpose, None when the script is over, or why it cannot be made (kind `bad_row`)."""
    try:
        conversation = conversation_of(request, calls)
        if purpose == "turn" and conversation.coming() is None:
            return None
        return next_body(conversation, purpose)
    except (TemplateFailure, FieldFault) as error:
        return Failure("bad_row", f"turn {calls[-1].turn + 2}: {error.problem.what}")
    except (SpecError, NotJson) as error:  # a file's text; half a character
        return Failure("bad_row", f"turn {calls[-1].turn + 2}: {error}")


def _may_double(request: Request, after: After, calls: Sequence[Call]) -> bool:
    """Only where that helps: the context window does not grow with `max_tokens`."""
    if after.on_truncated != "double" or said(calls[-1]).get("stop_reason") != "max_tokens":
        return False
    return not _times(calls, "double") and doubled(request) > request.max_tokens


def _may_ask_again(after: After, calls: Sequence[Call]) -> bool:
    if after.output is None or after.output.on_invalid != "ask_again" or _times(calls, "ask_again") >= MOST_ASKED_AGAIN:
        return False
    return bool(checked(after, whole_reply(calls))[1])


def _times(calls: Sequence[Call], purpose: Purpose) -> int:
    """How often the last call's turn was asked for this reason."""
    return sum(call.purpose == purpose for call in of_this_turn(calls))
