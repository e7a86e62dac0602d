"""Why a result is not good, in one word: what summaries group by and advice is looked up with. Reads result lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ONLY_THOUGHT: Final = "only_thinking"
"""`max_tokens` ended the reply before any text: thinking took all of it."""
DOUBLED: Final = "max_tokens_doubled"
"""Twice the `max_tokens` ended the reply as well."""
NO_REASON: Final = "no_stop_reason"
"""The reply does not say why it ended, as the API's own always do."""


def kind_of(record: Mapping[str, Any]) -> str:
    """The failure's kind, else a refusal's category, else the stop reason, or a finer word for it; "" when unknown.

    record: a line of results.jsonl.
    """
    failure, details = record.get("failure") or {}, record.get("stop_details") or {}
    if failure.get("kind"):
        return str(failure["kind"])
    if record.get("stop_reason") == "max_tokens" and not record.get("text") and _thought(record):
        return ONLY_THOUGHT
    if record.get("stop_reason") == "max_tokens" and _doubled(record):
        return DOUBLED
    if record.get("status") == "invalid" and not record.get("stop_reason"):
        return NO_REASON
    return str(details.get("category") or record.get("stop_reason") or "")


def _thought(record: Mapping[str, Any]) -> bool:
    usage = record.get("usage") or {}
    return bool((usage.get("output_tokens_details") or {}).get("thinking_tokens"))


def _doubled(record: Mapping[str, Any]) -> bool:
    calls = record.get("calls") or [{}]
    return any(call.get("for") == "double" and call.get("turn") == calls[-1].get("turn") for call in calls)
