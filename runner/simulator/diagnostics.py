"""Cache diagnostics: why a request could not reuse the prefix of the one before it.

https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics and `types/cache_miss_reason.py` of SDK 2.12.0.
Only requests that send `diagnostics` are remembered. Guesses: that the levels are compared in the order model, system,
tools, messages, and that the missed tokens are what the earlier request had cached less what this one read."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import orjson

from runner.simulator.asked import Asked

MOST_REMEMBERED = 10_000


class Print(NamedTuple):
    """What is compared of a request. cached: tokens read from the cache or written to it."""

    model: bytes
    system: bytes
    tools: bytes
    messages: tuple[bytes, ...]
    rest: bytes
    cached: int


class Diagnostics:
    """The prints of requests by the id of the message that answered them."""

    def __init__(self) -> None:
        self._prints: OrderedDict[str, Print] = OrderedDict()

    def of(self, asked: Asked, message: dict[str, Any]) -> dict[str, Any] | None:
        """The reply's `diagnostics`; remembers the request. None when nothing diverged."""
        wanted = asked.body.get("diagnostics")
        if wanted is None:
            return None
        previous, here = wanted.get("previous_message_id"), _print(asked)
        reason = None
        if previous is not None:
            before = self._prints.get(previous)
            reason = {"type": "previous_message_not_found"} if before is None else _reason(before, here, asked)
        self._prints[message["id"]] = here
        if len(self._prints) > MOST_REMEMBERED:
            self._prints.popitem(last=False)
        return None if reason is None else {"cache_miss_reason": reason}


def _reason(before: Print, here: Print, asked: Asked) -> dict[str, Any] | None:
    missed = max(0, before.cached - asked.cache.read)
    for name in ("model", "system", "tools"):
        if getattr(before, name) != getattr(here, name):
            return {"type": f"{name}_changed", "cache_missed_input_tokens": missed}
    if here.messages[: len(before.messages)] != before.messages:
        return {"type": "messages_changed", "cache_missed_input_tokens": missed}
    return {"type": "unavailable"} if before.rest != here.rest else None


def _print(asked: Asked) -> Print:
    body = asked.body
    rest = [body.get(name) for name in ("thinking", "tool_choice", "output_config")]
    cached = asked.cache.read + asked.cache.written
    messages = tuple(_bytes(message) for message in body["messages"])
    model = _bytes([body["model"], body.get("speed") or "standard"])
    return Print(model, _bytes(body.get("system")), _bytes(body.get("tools")), messages, _bytes(rest), cached)


def _bytes(value: Any) -> bytes:
    """The value as JSON without breakpoints, which may move from one request to the next."""
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if name != "cache_control"}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
