"""Compaction, both forms: the edit `compact_20260112`, and the field `compaction` that answers with a summary alone.

https://platform.claude.com/docs/en/build-with-claude/compaction; shapes: `types/beta/beta_compaction_block.py`,
`beta_compaction_iteration_usage.py` and the comments of `beta_usage.py` in SDK 2.12.0: a compaction's tokens stand in
`usage.iterations` only. The marker `compact` lets the edit work below its trigger. Guesses: what the summary says,
that the rest of the turn reads nothing from the cache, and that a summary alone leaves the top-level usage at zero."""

from __future__ import annotations

from typing import Any

from runner.simulator.asked import Asked
from runner.simulator.tokens import block_tokens, content_tokens, frame_tokens, text_tokens

DEFAULT_TRIGGER = 150_000
EDIT = "compact_20260112"


def wanted_edit(asked: Asked) -> dict[str, Any] | None:
    """The edit that takes effect in this request."""
    edits = (asked.body.get("context_management") or {}).get("edits") or ()
    edit = next((edit for edit in edits if edit["type"] == EDIT), None)
    if edit is None:
        return None
    trigger = (edit.get("trigger") or {}).get("value", DEFAULT_TRIGGER)
    reached = asked.input_tokens >= trigger
    return edit if reached or ("compact" in asked.markers and not _compacted(asked.body)) else None


def _compacted(body: dict[str, Any]) -> bool:
    contents = (message["content"] for message in body["messages"] if not isinstance(message["content"], str))
    return any(block["type"] == "compaction" for content in contents for block in content)


def block(asked: Asked, *, signed: bool) -> dict[str, Any]:
    """The summary. signed: as the field `compaction` gives it."""
    count = len(asked.body["messages"])
    made = {
        "type": "compaction",
        "content": f"Summary of {count} messages. The last one began: {asked.text[:80]}",
        "encrypted_content": f"sim_{asked.hash[:24]}",
    }
    return {**made, "signature": f"sim_{asked.hash}"} if signed else made


def iteration(asked: Asked, summary: dict[str, Any]) -> dict[str, Any]:
    """The compaction's own usage: it read the whole conversation and wrote the summary."""
    cache = asked.cache
    return {
        "type": "compaction",
        "input_tokens": asked.input_tokens - cache.read - cache.written,
        "cache_creation_input_tokens": cache.written,
        "cache_read_input_tokens": cache.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache.written_5m,
            "ephemeral_1h_input_tokens": cache.written_1h,
        },
        "output_tokens": text_tokens(summary["content"]),
    }


def left_tokens(asked: Asked, summary: dict[str, Any]) -> int:
    """Input tokens of the rest of the turn: tools, system, the summary and the last message."""
    last = asked.body["messages"][-1]
    return frame_tokens(asked.body) + block_tokens(summary) + content_tokens(last["content"])
