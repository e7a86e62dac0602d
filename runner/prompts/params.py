"""The parameters that go into a request as the API has them, and those that are headers. Pure.

No secret passes through here: a token is a placeholder in the body, and `Request.secrets` says which variable of the
environment takes its place in the bytes that are sent (`claude.secrets`).
API facts: SDK 2.12.0 source, `resources/beta/messages/messages.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.records import SECRET, Json
from runner.spec.params import AUTO

_AS_THEY_ARE: Final = (
    "tools", "tool_choice", "container", "context_management", "compaction", "inference_geo", "speed",
)  # fmt: skip
_HEADERS: Final[Mapping[str, str]] = {
    "user_profile_id": "anthropic-user-profile-id",
    "workspace_id": "anthropic-workspace-id",
}


def params_of(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The part of the body that these fields make; `fallbacks` must be decided."""
    body = {name: fields[name] for name in _AS_THEY_ARE if name in fields}
    if fields.get("fallbacks", "off") not in ("off", AUTO):
        body["fallbacks"] = fields["fallbacks"]
    if "mcp_servers" in fields:
        body["mcp_servers"] = [_without_token(server) for server in fields["mcp_servers"]]
    return body


def headers_of(fields: Mapping[str, Json]) -> dict[str, str]:
    return {header: fields[name] for name, header in _HEADERS.items() if name in fields}


def secrets_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """MCP server → the environment variable that holds its token."""
    servers = fields.get("mcp_servers", ())
    return {server["name"]: server["authorization_token"]["env"] for server in servers if _has_token(server)}


def _has_token(server: Mapping[str, Json]) -> bool:
    return server.get("authorization_token") is not None


def _without_token(server: Mapping[str, Json]) -> Mapping[str, Json]:
    return {**server, "authorization_token": SECRET} if _has_token(server) else server
