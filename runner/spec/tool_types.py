"""The tools of the API by their `type`: which exist, who runs them, what bounds them. Facts only.

Types: SDK 2.12.0 source, `types/tool_union_param.py` and `types/beta/beta_tool_union_param.py`. Who runs a tool:
https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from runner.records import Json

MCP_TOOLSET: Final = "mcp_toolset"
SERVER_TOOLS: Final = (
    "web_search_20250305", "web_search_20260209", "web_search_20260318",
    "web_fetch_20250910", "web_fetch_20260209", "web_fetch_20260309", "web_fetch_20260318",
    "code_execution_20250522", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521",
    "tool_search_tool_bm25_20251119", "tool_search_tool_regex_20251119", "tool_search_tool_bm25",
    "tool_search_tool_regex", "advisor_20260301", MCP_TOOLSET,
)  # fmt: skip
"""Anthropic, or an MCP server, runs these; their results come inside the reply."""

CLIENT_TOOLS: Final = (
    "bash_20241022", "bash_20250124", "text_editor_20241022", "text_editor_20250124", "text_editor_20250429",
    "text_editor_20250728", "computer_20241022", "computer_20250124", "computer_20251124", "memory_20250818",
    "browser_toolset_20260801", "computer_toolset_20260801",
)  # fmt: skip
"""Anthropic defines these and the caller has to run them: a call of one ends the reply."""

KNOWN_TYPES: Final = (*SERVER_TOOLS, *CLIENT_TOOLS)
_SERVER_STEMS: Final = ("web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "advisor_", MCP_TOOLSET)
_BOUNDED_BY_MAX_USES: Final = ("web_search_", "web_fetch_", "advisor_")
_DATED: Final = re.compile(r".+_\d{8}")


def is_client_tool(tool: Mapping[str, Json]) -> bool:
    """Whether a call of it ends the reply with `tool_use`; an unknown type counts as the caller's to run."""
    kind = tool.get("type")
    return not (isinstance(kind, str) and kind.startswith(_SERVER_STEMS))


def takes_max_uses(tool: Mapping[str, Json]) -> bool:
    """Whether nothing but `max_uses` bounds how often one request may use it."""
    return str(tool.get("type") or "").startswith(_BOUNDED_BY_MAX_USES)


def is_dated(kind: str) -> bool:
    """Whether a type ends in a version, as all but `mcp_toolset` and `custom` do."""
    return _DATED.fullmatch(kind) is not None
