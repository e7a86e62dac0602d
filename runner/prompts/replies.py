"""Calls → replies: a paused reply and its continuations are one. Pure functions over JSON.

API facts: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons (`pause_turn`: the content so
far is sent back, and the next reply goes on behind it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from runner.records import Call, Json

Message: TypeAlias = Mapping[str, Json]


def whole_reply(calls: Sequence[Call]) -> Message:
    """The reply of the last call, with what was said before it paused in front."""
    kept = settled(calls)
    begin = max((at for at, call in enumerate(kept) if call.purpose != "continue"), default=0)
    content = [block for call in kept[begin:] for block in said(call).get("content") or ()]
    return {**said(kept[-1]), "content": content}


def settled(calls: Sequence[Call]) -> list[Call]:
    """The calls whose replies count: one that was doubled gives its place to the doubled one."""
    kept: list[Call] = []
    for call in calls:
        kept.append(replace(call, purpose=kept.pop().purpose) if call.purpose == "double" and kept else call)
    return kept


def said(call: Call) -> Message:
    return call.response or {}


def of_this_turn(calls: Sequence[Call]) -> Sequence[Call]:
    """The calls of the last call's turn."""
    turn = calls[-1].turn
    return [call for call in calls if call.turn == turn]


def text_of(message: Message) -> str:
    """The text blocks of a message, joined; "" when there are none."""
    texts = (block.get("text") for block in blocks(message, "text"))
    return "".join(text for text in texts if isinstance(text, str))


def citations_of(message: Message) -> list[Json]:
    """Every citation, in order, as the API gives it, and the `text` of the reply that it supports."""
    return [
        {"text": block.get("text"), **citation}
        for block in blocks(message, "text")
        for citation in block.get("citations") or ()
    ]


def blocks(message: Message, kind: str) -> Iterator[Mapping[str, Any]]:
    return (block for block in message.get("content") or () if block.get("type") == kind)
