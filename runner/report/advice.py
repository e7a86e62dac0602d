"""What to do about each way a request can end without a good answer: one sentence per failure kind and status."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runner.models.endings import DOUBLED, ONLY_THOUGHT

BY_KIND: Mapping[str, str] = MappingProxyType(
    {
        "rate_limited": "The rate limit outlasted the retries: lower `--concurrency`, then run the same command again.",
        "overloaded": "The API was overloaded through all retries: run the same command again later.",
        "server_error": "The API failed through all retries: run the same command again later.",
        "timeout": "No answer came in time: raise `run.request_timeout`, or lower `max_tokens`, then run again.",
        "connection": "The API could not be reached: check network, proxy and `ANTHROPIC_BASE_URL`, then run again.",
        "truncated_stream": "The stream broke off through all retries: run the same command again.",
        "invalid_request": "The API refuses this request as it is: `promptrun render` shows what is sent.",
        "too_large": "The request is too large: shorten the row's text or split it.",
        "bad_row": "The row could not become a request: correct its data.",
        "malformed_reply": "The server answered with something that is no message: check `ANTHROPIC_BASE_URL`.",
        "model_not_found": "No such model for this account: check `model`.",
        "permission": "This account may not use the model: check `model` or ask the account's owner.",
        "repeated_invalid_request": "The same error came many times in a row for this model: correct the spec.",
        "authentication": "The API does not accept the credentials: check `ANTHROPIC_API_KEY`.",
        "billing": "Billing needs attention: see https://platform.claude.com/settings/billing.",
        "spend_limit": "The account's spend limit is reached: raise it or wait for the next month.",
        "organization": "The organization is on hold: its owner has to contact Anthropic.",
    }
)
BY_STOP: Mapping[str, str] = MappingProxyType(
    {
        "max_tokens": "The answer was cut off: raise `max_tokens`, or write `output: {on_truncated: double}`.",
        DOUBLED: "The answer was cut off with more tokens too: raise `max_tokens`, or ask for less.",
        ONLY_THOUGHT: "Thinking took all of `max_tokens`: raise it, or lower `effort` (or `budget_tokens`).",
        "model_context_window_exceeded": "The model's context window is full: shorten the prompt, "
        "or let `context_management` compact it.",
        "pause_turn": "The turn paused ten times without an end: let its tools be used less, with `max_uses`.",
        "compaction": "The conversation was compacted again and again: shorten it, or raise the trigger.",
        "refusal": "The model declined: sending the same request again will not help; change the prompt or the model.",
    }
)
FINISHED = frozenset({"end_turn", "stop_sequence", ""})
"""Stop reasons of a reply that is whole: what is wrong with it, its status says."""

NEW_REASON = "promptrun does not know why this reply ended: update it, or read the reply under `calls` in the result."
BY_STATUS: Mapping[str, str] = MappingProxyType(
    {
        "truncated": "The answer was cut off: raise `max_tokens`.",
        "refused": "The model declined: sending the same request again will not help; change the prompt or the model.",
        "tool_use": "The model asked for a tool: read its input under `tool_calls` in the result.",
        "invalid": "The answer does not fit its schema: say in the prompt what is wanted, or loosen the schema.",
        "failed": "The request failed: run the same command again.",
    }
)


def advice(status: str, kind: str) -> str:
    """kind: as `models.endings.kind_of` tells it."""
    known = BY_KIND.get(kind) or BY_STOP.get(kind)
    if known:
        return known
    return NEW_REASON if status == "invalid" and kind not in FINISHED else BY_STATUS.get(status, "")
