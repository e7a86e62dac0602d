"""Checks the fields that need a beta: fallbacks, compaction, context management, MCP servers.

Shapes: `types/beta/message_create_params.py` of SDK 2.12.0. (seen) marks wordings quoted from public issue trackers
(github.com/earendil-works/pi, /anthropics/anthropic-sdk-csharp and others); the rest are guesses."""

from __future__ import annotations

from typing import Any

from runner.simulator.catalog import allowed_fallbacks, find_model, served
from runner.simulator.errors import Rejected, not_found

MOST_FALLBACKS = 3
FALLBACK_FIELDS = ("model", "max_tokens", "output_config", "speed", "thinking")
EDITS = ("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112")
COMPACT_BETA = "compact-2026-01-12"
LEAST_TRIGGER = 50_000
MCP_WITHOUT_TOOLSETS = "mcp-client-2025-04-04"
MCP_FIELDS = ("type", "url", "name", "authorization_token", "tool_configuration")


def check_beta_fields(body: dict[str, Any], betas: frozenset[str]) -> None:
    """What the betas let pass as known fields."""
    if body.get("fallbacks") is not None:
        _check_fallbacks(body["model"], body["fallbacks"])
    if body.get("context_management") is not None:
        _check_context_management(body, betas)
    if body.get("compaction") is not None:
        _check_compaction(body)
    if "mcp_servers" in body:
        _check_mcp_servers(body, betas)


def _check_fallbacks(model: str, value: Any) -> None:
    if value == "default":
        return
    if not isinstance(value, list):
        raise Rejected("fallbacks: Input should be a valid list")
    if not 1 <= len(value) <= MOST_FALLBACKS:
        side = "at least 1 item" if not value else f"at most {MOST_FALLBACKS} items"
        raise Rejected(f"fallbacks: List should have {side} after validation, not {len(value)}")
    for index, entry in enumerate(value):
        _check_fallback(f"fallbacks.{index}", entry)
    names = [entry["model"] for entry in value]
    if model in names:
        raise Rejected(f"fallbacks.{names.index(model)}.model: must differ from the requested model '{model}'")
    if len(set(names)) < len(names):
        raise Rejected("fallbacks: models must be distinct")
    _check_targets(model, names)


def _check_fallback(path: str, entry: Any) -> None:
    _check_dict(path, entry)
    if "model" not in entry:
        raise Rejected(f"{path}.model: Field required")
    if not isinstance(entry["model"], str):
        raise Rejected(f"{path}.model: Input should be a valid string")
    for name in entry:
        if name not in FALLBACK_FIELDS:
            raise Rejected(f"{path}.{name}: Extra inputs are not permitted")
    for name in ("output_config", "thinking"):
        if entry.get(name) is not None:
            _check_dict(f"{path}.{name}", entry[name])


def _check_targets(model: str, names: list[str]) -> None:
    """Which model may fall back on which; one that is not in the catalogue on any."""
    for name in names:
        if not served(name):
            raise not_found(f"model: {name}")
    if find_model(model) is None:
        return
    targets = allowed_fallbacks(model)
    if not targets:  # (seen)
        raise Rejected(f"'{model}' does not support the `fallbacks` parameter.")
    for name in names:
        if find_model(name) is not None and name not in targets:  # (seen)
            raise Rejected(
                f"'{name}' is not a valid fallback target for '{model}'. See this model's `allowed_fallback_models` "
                f"on GET /v1/models/{model}."
            )


def _check_context_management(body: dict[str, Any], betas: frozenset[str]) -> None:
    value = body["context_management"]
    _check_dict("context_management", value)
    edits = value.get("edits", [])
    if not isinstance(edits, list):
        raise Rejected("context_management.edits: Input should be a valid list")
    known = EDITS if COMPACT_BETA in betas else EDITS[:2]
    for index, edit in enumerate(edits):
        path = f"context_management.edits.{index}"
        _check_dict(path, edit)
        if edit.get("type") not in known:
            tags = ", ".join(f"'{name}'" for name in known)
            raise Rejected(
                f"{path}: Input tag '{edit.get('type')}' found using 'type' does not match any of the expected tags: "
                f"{tags}"
            )
        _check_edit(path, edit, body)


def _check_edit(path: str, edit: dict[str, Any], body: dict[str, Any]) -> None:
    kind = edit["type"]
    if kind == "clear_thinking_20251015" and (body.get("thinking") or {}).get("type") not in ("enabled", "adaptive"):
        raise Rejected(f"`{kind}` strategy requires `thinking` to be enabled or adaptive")
    if kind != "compact_20260112":
        return
    model = find_model(body["model"])
    if model is not None and not model.compacts:
        raise Rejected(f"{path}: '{kind}' is not supported on this model")
    if (trigger := edit.get("trigger")) is not None:
        _check_dict(f"{path}.{kind}.trigger", trigger)
        amount = trigger.get("value")
        if isinstance(amount, bool) or not isinstance(amount, int):
            raise Rejected(f"{path}.{kind}.trigger.value: Input should be a valid integer")
        if amount < LEAST_TRIGGER:  # (seen)
            raise Rejected(f"{kind}: trigger.value must be at least {LEAST_TRIGGER}")


def _check_compaction(body: dict[str, Any]) -> None:
    value = body["compaction"]
    _check_dict("compaction", value)
    if value.get("type") != "summarize":
        raise Rejected("compaction.type: Input should be 'summarize'")
    for name in value:
        if name not in ("type", "instructions"):
            raise Rejected(f"compaction.{name}: Extra inputs are not permitted")
    if body.get("context_management") is not None:
        raise Rejected("compaction: cannot be combined with `context_management`")
    model = find_model(body["model"])
    if model is not None and not model.compacts:
        raise Rejected("compaction: not supported on this model")


def _check_mcp_servers(body: dict[str, Any], betas: frozenset[str]) -> None:
    servers = body["mcp_servers"]
    if not isinstance(servers, list):
        raise Rejected("mcp_servers: Input should be a valid list")
    for index, server in enumerate(servers):
        _check_mcp_server(f"mcp_servers.{index}", server)
        if "tool_configuration" in server and MCP_WITHOUT_TOOLSETS not in betas:
            raise Rejected(f"mcp_servers.{index}.tool_configuration: Extra inputs are not permitted")
    toolsets = [tool for tool in body.get("tools") or () if tool.get("type") == "mcp_toolset"]
    defined = [server["name"] for server in servers]
    used = [tool["mcp_server_name"] for tool in toolsets]
    if len(set(defined)) < len(defined):
        raise Rejected("mcp_servers: MCP server names must be unique")
    for name in used:
        if name not in defined:
            raise Rejected(f"MCP server '{name}' is referenced by an `mcp_toolset` in `tools` but is not defined.")
    for name in defined:
        if name not in used and MCP_WITHOUT_TOOLSETS not in betas:  # (seen)
            raise Rejected(f"MCP server '{name}' is defined but not referenced by any `mcp_toolset` in `tools`.")


def _check_mcp_server(path: str, server: Any) -> None:
    _check_dict(path, server)
    for name in ("type", "url", "name"):
        if name not in server:
            raise Rejected(f"{path}.{name}: Field required")
        if not isinstance(server[name], str):
            raise Rejected(f"{path}.{name}: Input should be a valid string")
    for name in server:
        if name not in MCP_FIELDS:
            raise Rejected(f"{path}.{name}: Extra inputs are not permitted")
    if server["type"] != "url":
        raise Rejected(f"{path}.type: Input should be 'url'")
    if not server["url"].startswith("https://"):
        raise Rejected(f"{path}.url: URL must start with 'https://'")


def _check_dict(path: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise Rejected(f"{path}: Input should be a valid dictionary")
