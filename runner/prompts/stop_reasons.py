"""What one reply's stop reason says of its request. Pure functions over JSON; nothing here looks at other calls.

Stop reasons: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons, and `BetaStopReason` of
SDK 2.12.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from runner.prompts.after import after_of
from runner.prompts.tools import has_client_tools
from runner.records import Json, Request, Status

STATUS_OF: Mapping[str, Status] = {
    "end_turn": "ok",
    "stop_sequence": "ok",
    "tool_use": "tool_use",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
    "refusal": "refused",
    # Both stop in the middle of a turn; when nobody takes it up again, the answer is a part of one.
    "pause_turn": "truncated",
    "compaction": "truncated",
}

UNKNOWN: Final[Status] = "invalid"
"""A stop reason of tomorrow: the reply was paid and is kept, is not asked for again, and does not pass for good."""

_PAUSES: Final = frozenset({"pause_turn", "compaction"})


def status_of(request: Request, reply: Mapping[str, Json]) -> Status:
    """The status of a reply that nothing else is wrong with."""
    if is_summary(request, reply):
        return "ok"
    return STATUS_OF.get(str(reply.get("stop_reason")), UNKNOWN)


def is_summary(request: Request, reply: Mapping[str, Json]) -> bool:
    """Whether the reply is the summary that a top-level `compaction` asks for: the whole answer, not a pause."""
    return reply.get("stop_reason") == "compaction" and bool(orjson.loads(request.body).get("compaction"))


def pauses(request: Request, reply: Mapping[str, Json]) -> bool:
    """Whether the turn is not over: sent back with the content so far, it goes on."""
    return reply.get("stop_reason") in _PAUSES and not is_summary(request, reply)


def is_good(request: Request, status: Status) -> bool:
    """Whether the job wants an answer of this status."""
    if status == "tool_use":
        return has_client_tools(orjson.loads(request.body))
    return status == "ok" or (status == "truncated" and after_of(request).on_truncated == "accept")
