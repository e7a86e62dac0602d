"""Calls of tools in a reply, and where one model took over from another."""

from __future__ import annotations

from typing import Any

import pytest

from runner.prompts.tools import has_client_tools, switches, tool_calls

MINE = {"name": "get_order", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("tools", "client"),
    [
        ([], False),
        ([MINE], True),
        ([{**MINE, "type": "custom"}], True),
        ([{"type": "bash_20250124", "name": "bash"}], True),
        ([{"type": "computer_toolset_20260801"}], True),
        ([{"type": "web_search_20260318"}, {"type": "web_fetch_20260318"}, {"type": "code_execution_20260521"}], False),
        ([{"type": "mcp_toolset", "mcp_server_name": "a"}, {"type": "tool_search_tool_bm25_20251119"}], False),
        ([{"type": "web_search_20260318"}, MINE], True),
        ([{"type": "a_tool_of_tomorrow_20300101"}], True),
    ],
)
def test_client_tools(tools: list[dict[str, Any]], client: bool) -> None:
    assert has_client_tools({"tools": tools}) is client


def test_without_tools_there_are_none() -> None:
    assert has_client_tools({}) is False


def test_calls_of_client_tools_alone_are_recorded() -> None:
    content = [
        {"type": "text", "text": "One moment."},
        {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "x"}},
        {"type": "tool_use", "id": "a", "name": "get_order", "input": {"number": "A-1"}, "caller": {"type": "direct"}},
        {"type": "mcp_tool_use", "id": "m", "name": "find", "input": {}},
        {"type": "tool_use", "id": "b", "name": "get_order", "input": {}},
    ]
    assert tool_calls({"content": content}) == [
        {"id": "a", "name": "get_order", "input": {"number": "A-1"}},
        {"id": "b", "name": "get_order", "input": {}},
    ]
    assert tool_calls({"content": []}) == []


def test_switches_are_told_in_order() -> None:
    def mark(before: str, after: str, category: str | None) -> dict[str, Any]:
        trigger = {"type": "refusal", "category": category}
        return {"type": "fallback", "from": {"model": before}, "to": {"model": after}, "trigger": trigger}

    content = [{"type": "text", "text": "I "}, mark("a", "b", "cyber"), mark("b", "c", None), {"type": "fallback"}]
    assert switches({"content": content}) == [
        {"from": "a", "to": "b", "category": "cyber"},
        {"from": "b", "to": "c", "category": None},
        {"from": None, "to": None, "category": None},
    ]
