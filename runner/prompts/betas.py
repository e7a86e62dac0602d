"""Which beta headers a request needs: those its author names, and those its own fields cannot do without.

Names and what needs them: SDK 2.12.0 source, `types/anthropic_beta_param.py` and the comments in `types/beta/`;
https://platform.claude.com/docs/en/api/beta-headers. The SDK's beta resource sends them as one `anthropic-beta` header
to the same address. Features that need no header any more (files, skills, code execution, diagnostics) are not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.models.rules import rule_for
from runner.records import Json
from runner.spec.params import AUTO

FALLBACKS: Final = "server-side-fallback-2026-07-01"
"""Takes a list and `default`; the older `server-side-fallback-2026-06-01` takes lists only."""

_FAST: Final = "fast-mode-2026-02-01"
_TOOLS: Final[Mapping[str, str]] = {
    "advisor_20260301": "advisor-tool-2026-03-01",
    "bash_20241022": "computer-use-2024-10-22",
    "text_editor_20241022": "computer-use-2024-10-22",
    "computer_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
}
_EXTRA: Final[Mapping[str, str]] = {
    "billing_policy": "user-profiles-billing-2026-10-01",
    "fallback_credit_token": "fallback-credit-2026-07-01",
    "thread": "message-threads-2026-08-12",
}

_MAY_NEED_MORE: Final = frozenset(
    {"betas", "compaction", "context_management", "extra_body", "mcp_servers", "speed", "tools"}
)


def betas_of(fields: Mapping[str, Json]) -> tuple[str, ...]:
    """The betas of rendered fields, the author's first. Where both name one feature, the author's date holds."""
    if fields.keys().isdisjoint(_MAY_NEED_MORE):  # most jobs, a million times
        return (FALLBACKS,) if _asks_fallbacks(fields) else ()
    written = fields.get("betas", ())
    chosen = {_feature(beta) for beta in written}
    needed = (beta for beta in _needed(fields) if _feature(beta) not in chosen)
    return tuple(dict.fromkeys((*written, *needed)))


def _needed(fields: Mapping[str, Json]) -> Iterator[str]:
    if _asks_fallbacks(fields):
        yield FALLBACKS
    if "mcp_servers" in fields:
        yield _mcp(fields["mcp_servers"])
    if "context_management" in fields:
        yield from _context(fields["context_management"])
    if "compaction" in fields:
        yield "compact-2026-09-04"
    if "speed" in fields and _fast_needs_it(fields["model"]):
        yield _FAST
    for tool in fields.get("tools", ()):
        if tool.get("type") in _TOOLS:
            yield _TOOLS[tool["type"]]
    yield from _extra(fields.get("extra_body", {}))


def _asks_fallbacks(fields: Mapping[str, Json]) -> bool:
    return fields.get("fallbacks", "off") not in ("off", AUTO)


def _mcp(servers: Json) -> str:
    """`tool_configuration` is the older way to choose tools, and known to the older beta alone."""
    older = any(server.get("tool_configuration") is not None for server in servers)
    return "mcp-client-2025-04-04" if older else "mcp-client-2025-11-20"


def _context(management: Json) -> Iterator[str]:
    for edit in management["edits"]:
        yield "compact-2026-01-12" if edit["type"].startswith("compact_") else "context-management-2025-06-27"


def _fast_needs_it(model: str) -> bool:
    rules = rule_for(model)
    return rules is None or rules.fast_beta


def _extra(extra: Mapping[str, Any]) -> Iterator[str]:
    yield from (_EXTRA[name] for name in extra if name in _EXTRA)
    config = extra.get("output_config")
    if isinstance(config, Mapping) and "task_budget" in config:
        yield "task-budgets-2026-03-13"


def _feature(beta: str) -> str:
    """The name without its date: `server-side-fallback`."""
    return beta[:-11] if beta[-11:-10] == "-" else beta
