"""Texts in a prompt that ask the simulator for a certain outcome: `[[simulate:NAME]]` or `[[simulate:NAME=VALUE]]`.

They are read from the last user message only. NAME is
- a fault kind (config.FAULT_KINDS), or its HTTP status as in STATUSES: every attempt of this request fails that way;
  `[[simulate:overloaded=2]]` fails twice, then answers. `slow` takes seconds, `[[simulate:slow=0.2]]`.
- `text=…`: the reply is exactly that text (a value cannot hold `]]`).
- `body`: the reply is the request's canonical JSON, to see what arrived.
- `tokens=N`: the reply is about N tokens long.
- `stop=REASON`: the reply ends with that stop reason, such as `model_context_window_exceeded`.
- `pause=N`: the turn is paused N times (`pause`: once) with a server tool call before it is answered; the request that
  carries on is the same with the reply's content appended. `stop=pause_turn` pauses it for ever.
- `refusal=MODEL,MODEL`: only these models refuse; `refusal=all`: the fallbacks do too. `refusal` alone is the requested
  model's, and a fallback answers. `category=bio` is the refusal's category.
- `tool` or `tool=NAME`: the reply calls a client tool.
- `compact`: the context edit `compact_20260112` takes effect however short the conversation is.
- `thinking=N`: the thinking is N tokens long, so that it can eat all of max_tokens.
- `no_json`: the reply ignores `output_config.format`.
An unknown name is ignored.
"""

from __future__ import annotations

import math
import re
from typing import Any

from runner.simulator.config import FAULT_KINDS

STATUSES = {
    "400": "invalid",
    "401": "unauthorized",
    "402": "billing",
    "403": "permission",
    "404": "model_not_found",
    "413": "too_large",
    "429": "rate_limited",
    "500": "server_error",
    "529": "overloaded",
}
_MARKER = re.compile(r"\[\[simulate:([a-z0-9_]+)(?:=(.*?))?\]\]", re.DOTALL)


def last_user_text(body: dict[str, Any]) -> str:
    """The text blocks of the last user message, joined by blank lines."""
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            return content_text(message["content"])
    return ""


def content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n\n".join(block["text"] for block in content if block["type"] == "text")


def markers(text: str) -> dict[str, str]:
    """Name → value ("" without one) of every marker in the text."""
    if "[[simulate:" not in text:
        return {}
    return {STATUSES.get(name, name): value or "" for name, value in _MARKER.findall(text)}


def asked_fault(found: dict[str, str]) -> tuple[str, str] | None:
    """The first fault kind among the markers, and its value."""
    return next(((name, value) for name, value in found.items() if name in FAULT_KINDS), None)


def number(value: str) -> float | None:
    """A marker's value as a number, None when it is none (or not a finite one)."""
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
