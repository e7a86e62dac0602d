"""Request parameters that have more than one spelling, brought into the API's. Pure; literal values or templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.records import Json

NEVER_TEMPLATES: Final = frozenset({"tools", "mcp_servers", "workspace_id", "betas"})
"""Fields that are sent as they were written: what a tool may do and where a token goes is not for a row to say."""

AUTO: Final = "auto"
"""What `fallbacks` is when the spec does not say: `default` on the models that can decline. No author writes this."""


def normal_fallbacks(value: Json) -> Json:
    """`default`, `off`, or the API's list of maps: `[name]` is `[{"model": name}]`, `effort` moves to its place."""
    return [_fallback(entry) for entry in value] if isinstance(value, list) else value


def normal_mcp_servers(value: Json) -> Json:
    """Every server with its `type`, of which there is one only."""
    if not isinstance(value, list):
        return value
    return [{"type": "url", **server} if isinstance(server, Mapping) else server for server in value]


def _fallback(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return {"model": entry}
    made = {name: value for name, value in entry.items() if name != "effort"}
    if "thinking" in made:
        from runner.spec.fields import normal_field

        made["thinking"] = normal_field("thinking", made["thinking"])
    if "effort" in entry:
        made["output_config"] = {"effort": entry["effort"]}
    return made
