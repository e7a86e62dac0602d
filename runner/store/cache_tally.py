"""What the results of a run say about prompt caching: how many wrote and read, and why the API says it missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOTHING_MISSED = "none"
"""Of a reply to `diagnostics` without a reason: nothing diverged, or the comparison was not done yet."""


@dataclass(slots=True)
class CacheTally:
    """writes: requests that wrote to the cache; reads: that read from it. miss_reasons: reason → replies."""

    writes: int = 0
    reads: int = 0
    miss_reasons: Counter[str] = field(default_factory=Counter)

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one result line that is an answer of its own."""
        usage = record.get("usage") or {}
        self.writes += bool(usage.get("cache_creation_input_tokens"))
        self.reads += bool(usage.get("cache_read_input_tokens"))
        for call in record.get("calls") or ():
            diagnostics = (call.get("response") or call).get("diagnostics")
            if isinstance(diagnostics, Mapping):
                reason = diagnostics.get("cache_miss_reason")
                self.miss_reasons[_name(reason)] += 1


def _name(reason: Any) -> str:
    """https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics: a map with a `type`, or null."""
    return str(reason.get("type")) if isinstance(reason, Mapping) else NOTHING_MISSED
