"""What stands in a reply beside text: calls of tools, and where one model took over from another. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.records import Json
from runner.spec.tool_types import is_client_tool


def has_client_tools(fields: Mapping[str, Any]) -> bool:
    """Whether a reply may rightly end with a call that the caller has to answer. fields: a cell's, or a body."""
    return any(is_client_tool(tool) for tool in fields.get("tools") or ())


def tool_calls(message: Mapping[str, Any]) -> list[dict[str, Json]]:
    """`{id, name, input}` of every client tool that a reply calls, in order; server tools are not among them."""
    calls = (block for block in message.get("content") or () if block.get("type") == "tool_use")
    return [{name: block.get(name) for name in ("id", "name", "input")} for block in calls]


def switches(message: Mapping[str, Any]) -> list[dict[str, Json]]:
    """`{from, to, category}` of every place in a reply where a model declined and the next went on, in order.

    A reply of a conversation that stays with a fallback has none, though a fallback wrote it (`model.served` says so).
    """
    marks = (block for block in message.get("content") or () if block.get("type") == "fallback")
    return [
        {
            "from": _map(mark.get("from")).get("model"),
            "to": _map(mark.get("to")).get("model"),
            "category": _map(mark.get("trigger")).get("category"),
        }
        for mark in marks
    ]


def _map(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
