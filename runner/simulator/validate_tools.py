"""Checks `tools` and `tool_choice` as the API does. See `validate` for where the wordings come from.

Types and fields: `types/tool_union_param.py` of SDK 2.12.0 and its beta twin. Of the tools that Anthropic defines only
the type and the name are checked, and for the web tools that no domain list contradicts the other."""

from __future__ import annotations

import re
from typing import Any

from runner.simulator.errors import Rejected

CUSTOM_FIELDS = frozenset(
    {
        "type", "name", "description", "input_schema", "cache_control", "strict", "allowed_callers", "defer_loading",
        "eager_input_streaming", "input_examples",
    }
)  # fmt: skip
SERVER_NAMES = {
    "web_search_20250305": "web_search", "web_search_20260209": "web_search", "web_search_20260318": "web_search",
    "web_fetch_20250910": "web_fetch", "web_fetch_20260209": "web_fetch", "web_fetch_20260309": "web_fetch",
    "web_fetch_20260318": "web_fetch", "code_execution_20250522": "code_execution",
    "code_execution_20250825": "code_execution", "code_execution_20260120": "code_execution",
    "code_execution_20260521": "code_execution", "tool_search_tool_bm25": "tool_search_tool_bm25",
    "tool_search_tool_bm25_20251119": "tool_search_tool_bm25", "tool_search_tool_regex": "tool_search_tool_regex",
    "tool_search_tool_regex_20251119": "tool_search_tool_regex", "advisor_20260301": "advisor",
}  # fmt: skip
"""Tools that the API itself runs → the name they must have."""

CLIENT_NAMES = {
    "bash_20241022": "bash", "bash_20250124": "bash", "memory_20250818": "memory",
    "text_editor_20241022": "str_replace_editor", "text_editor_20250124": "str_replace_editor",
    "text_editor_20250429": "str_replace_based_edit_tool", "text_editor_20250728": "str_replace_based_edit_tool",
    "computer_20241022": "computer", "computer_20250124": "computer", "computer_20251124": "computer",
}  # fmt: skip
"""Tools that Anthropic defines and the caller runs."""

NEEDS = {
    "advisor_20260301": "advisor-tool-2026-03-01", "bash_20241022": "computer-use-2024-10-22",
    "text_editor_20241022": "computer-use-2024-10-22", "computer_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24", "computer_20251124": "computer-use-2025-11-24",
}  # fmt: skip
"""Types that only `types/beta/beta_tool_union_param.py` knows → their beta."""

NAMED = SERVER_NAMES | CLIENT_NAMES
TOOLSETS = ("browser_toolset_20260801", "computer_toolset_20260801", "mcp_toolset")
CHOICES = ("any", "auto", "none", "tool")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def check_tools(value: Any, betas: frozenset[str]) -> None:
    """Every tool, and that no two share a name; some types are unknown without their beta."""
    if not isinstance(value, list):
        raise Rejected("tools: Input should be a valid list")
    names: set[str] = set()
    for index, tool in enumerate(value):
        name = _check_tool(f"tools.{index}", tool, betas)
        if name in names:  # (seen)
            raise Rejected("tools: Tool names must be unique.")
        if name:
            names.add(name)


def _check_tool(path: str, tool: Any, betas: frozenset[str]) -> str:
    """The tool's name, "" for a toolset."""
    if not isinstance(tool, dict):
        raise Rejected(f"{path}: Input should be a valid dictionary")
    kind = tool.get("type")
    if kind in (None, "custom"):
        return _check_custom(f"{path}.custom", tool)
    if isinstance(kind, str) and kind in TOOLSETS:
        if kind == "mcp_toolset" and not isinstance(tool.get("mcp_server_name"), str):
            raise Rejected(f"{path}.mcp_toolset.mcp_server_name: Field required")
        return ""
    if not isinstance(kind, str) or kind not in NAMED or NEEDS.get(kind, "") not in (*betas, ""):
        known = (name for name in NAMED if NEEDS.get(name, "") in (*betas, ""))
        tags = ", ".join(f"'{name}'" for name in sorted(("custom", *TOOLSETS, *known)))
        raise Rejected(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}")
    if tool.get("name") != NAMED[kind]:
        raise Rejected(f"{path}.{kind}.name: Input should be '{NAMED[kind]}'")
    if tool.get("allowed_domains") and tool.get("blocked_domains"):
        raise Rejected(f"{path}.{kind}: Only one of `allowed_domains` and `blocked_domains` may be set")
    return NAMED[kind]


def _check_custom(path: str, tool: dict[str, Any]) -> str:
    for required in ("name", "input_schema"):
        if required not in tool:
            raise Rejected(f"{path}.{required}: Field required")
    for field in tool:
        if field not in CUSTOM_FIELDS:
            raise Rejected(f"{path}.{field}: Extra inputs are not permitted")
    name, schema = tool["name"], tool["input_schema"]
    if not isinstance(name, str):
        raise Rejected(f"{path}.name: Input should be a valid string")
    if not NAME.fullmatch(name):  # (seen)
        raise Rejected(f"{path}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if not isinstance(schema, dict):
        raise Rejected(f"{path}.input_schema: Input should be a valid dictionary")
    if "type" not in schema:  # (seen)
        raise Rejected(f"{path}.input_schema.type: Field required")
    if schema["type"] != "object":  # (seen)
        raise Rejected(f"{path}.input_schema.type: Input should be 'object'")
    return name


def check_tool_choice(body: dict[str, Any]) -> None:
    """`tools` was checked before."""
    value = body["tool_choice"]
    if not isinstance(value, dict):
        raise Rejected("tool_choice: Input should be a valid dictionary")
    kind = value.get("type")
    if kind not in CHOICES:
        raise Rejected(
            f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
            "'any', 'auto', 'none', 'tool'"
        )
    if not body.get("tools"):  # (seen)
        raise Rejected("tool_choice: tool_choice may only be specified while providing tools.")
    if kind != "tool":
        return
    if "name" not in value:
        raise Rejected("tool_choice.tool.name: Field required")
    if value["name"] not in [tool.get("name") for tool in body["tools"]]:  # (seen)
        raise Rejected(f"Tool '{value['name']}' not found in provided tools")
