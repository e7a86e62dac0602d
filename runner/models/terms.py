"""What of a request's body changes what it may cost, as `Terms`. Reads the body and knows no price.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing, …/web-search-tool,
…/web-fetch-tool, …/build-with-claude/refusals-and-fallback, …/compaction; SDK 2.12.0 source, `types/beta`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from runner.models.multipliers import multiplier
from runner.models.rules import rule_for
from runner.records import Terms

DEFAULT: Final = "default"
SEARCH_TOKENS: Final = 30_000
PAGE_TOKENS: Final = 100_000
"""What one search, and one fetched page without `max_content_tokens`, are reckoned to bring: far above the usual.

The API promises neither, and PDFs keep to no `max_content_tokens`.
"""

PAGES: Final = "documents of unknown length"
"""What is unbounded about a request whose documents only the API can look into."""

_READ: Final = (
    "speed", "inference_geo", "fallbacks", "tools", "mcp_servers", "output_config", "context_management", "container",
)  # fmt: skip
_MULTIPLIES: Final = ("speed", "inference_geo")
_ADDED: Final = 1_000
_ADDED_BY_TYPED: Final = 2_000
_HAS_CACHE: Final = b'"cache_control":'
_HAS_HOUR: Final = b'"ttl":"1h"'
_COMPACTS: Final = "compact_"
_CLIENT_RUNS: Final = ("custom", "bash_", "text_editor_", "computer_", "memory_", "browser_toolset_")


def terms_of(body: Mapping[str, Any], text: bytes | None = None, *, unbounded: Sequence[str] = ()) -> Terms:
    """The terms of a request. text: its body as sent, which tells whether it writes a cache; None: it may come to that.

    unbounded: what else of it nothing bounds, in words.
    """
    caches = caches_of(text)
    if body.keys().isdisjoint(_READ):
        return Terms(caches=caches, unbounded=tuple(unbounded))
    hops = _fallbacks(body)
    tools = [tool for tool in body.get("tools") or () if tool.get("type", "custom") != "custom"]
    served = [tool for tool in tools if not str(tool["type"]).startswith(_CLIENT_RUNS)]
    bounded = [tool for tool in served if _bounded(tool)]
    return Terms(
        factor=_factor(body, hops),
        fallbacks=tuple(str(hop.get("model")) for hop in hops),
        fallback_output=max((hop.get("max_tokens") or 0 for hop in hops), default=0),
        added=_added(body, len(tools)),
        caches="1h" if served and caches else caches,
        uses=sum(tool["max_uses"] for tool in bounded),
        searches=sum(tool["max_uses"] for tool in bounded if _searches(tool)),
        found=sum(tool["max_uses"] * _brings(tool) for tool in bounded),
        compacts=any(str(edit.get("type", "")).startswith(_COMPACTS) for edit in _edits(body)),
        unbounded=(*unbounded, *dict.fromkeys(_without_bound(body, served))),
    )


def _factor(body: Mapping[str, Any], hops: Sequence[Mapping[str, Any]]) -> float:
    """The greatest of all models that may work on it. An entry may have a speed of its own."""
    told = {name: body[name] for name in _MULTIPLIES if name in body}
    if not told and not any("speed" in hop for hop in hops):
        return 1.0
    return float(max(multiplier({**told, **hop}, hop.get("model", body["model"])) for hop in ({}, *hops)))


def caches_of(text: bytes | None) -> Literal["", "5m", "1h"]:
    """How long anything of the body may be cached. In a JSON string the quotes searched for would be escaped."""
    if text is None or _HAS_HOUR in text:
        return "1h"
    return "5m" if _HAS_CACHE in text else ""


def _fallbacks(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of the list; `default` does nothing on a model without fallbacks at the API."""
    named = body.get("fallbacks")
    if named == DEFAULT:
        rules = rule_for(body["model"])
        none = rules is not None and (rules.fallbacks is False or not rules.served_fallbacks)
        return [] if none else [{"model": DEFAULT}]
    return [one for one in named if isinstance(one, Mapping)] if isinstance(named, list) else []


def _added(body: Mapping[str, Any], typed: int) -> int:
    """Instructions for tools and formats, and definitions behind a tool's `type`; all of them well under these sizes.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing (a few hundred tokens each).
    """
    instructed = bool(body.get("tools") or body.get("mcp_servers") or "format" in (body.get("output_config") or {}))
    return instructed * _ADDED + typed * _ADDED_BY_TYPED


def _edits(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    managed = body.get("context_management")
    return (managed.get("edits") or ()) if isinstance(managed, Mapping) else ()


# ---------------------------------------------------------------- tools that the API runs


def _searches(tool: Mapping[str, Any]) -> bool:
    return str(tool["type"]).startswith("web_search_")


def _bounded(tool: Mapping[str, Any]) -> bool:
    """Whether the number of its uses is bounded and each of them has a known price."""
    return str(tool["type"]).startswith(("web_search_", "web_fetch_")) and type(tool.get("max_uses")) is int


def _brings(tool: Mapping[str, Any]) -> int:
    """Tokens that one use brings to the input, as reckoned above."""
    return SEARCH_TOKENS if _searches(tool) else tool.get("max_content_tokens") or PAGE_TOKENS


def _without_bound(body: Mapping[str, Any], served: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the API runs as often as the model wants, or at prices that no table has, by the name in the spec."""
    yield from (str(tool.get("name") or tool["type"]) for tool in served if not _bounded(tool))
    if body.get("mcp_servers"):
        yield "mcp_servers"
    container = body.get("container")
    if isinstance(container, Mapping) and container.get("skills"):
        yield "container.skills"
