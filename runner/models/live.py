"""A model as the Models API describes it today. Any part may be missing, and is None then: not known, not refused.

https://platform.claude.com/docs/en/api/models; field names: SDK 2.12.0 source, `types/beta/beta_model_info.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class LiveModel:
    """found: whether the API knows the model. effort, thinking: level or type → whether the model takes it.

    supports: other capabilities by their name in the API. fallbacks: who may take over; () when nobody may.
    """

    id: str
    found: bool = True
    lifecycle: str | None = None
    retires: date | None = None
    max_tokens: int | None = None
    supports: Mapping[str, bool | None] = field(default_factory=dict)
    effort: Mapping[str, bool | None] = field(default_factory=dict)
    thinking: Mapping[str, bool | None] = field(default_factory=dict)
    fallbacks: tuple[str, ...] | None = None


def live_model(id: str, told: Mapping[str, Any] | None) -> LiveModel:
    """told: the API's answer, None when it knows no such model. What is not as documented counts as missing."""
    if told is None:
        return LiveModel(id, found=False)
    capabilities = _map(told.get("capabilities"))
    effort = _map(capabilities.get("effort"))
    thinking = _map(capabilities.get("thinking"))
    fallbacks = told.get("allowed_fallback_models")
    return LiveModel(
        id,
        lifecycle=told["lifecycle"] if isinstance(told.get("lifecycle"), str) else None,
        retires=_day(told.get("retires_at")),
        max_tokens=_count(told.get("max_tokens")),
        supports={name: _supported(part) for name, part in capabilities.items()},
        effort={level: _supported(part) for level, part in effort.items() if level != "supported"},
        thinking={kind: _supported(part) for kind, part in _map(thinking.get("types")).items()},
        fallbacks=tuple(map(str, fallbacks)) if isinstance(fallbacks, list) else None,
    )


def _supported(part: Any) -> bool | None:
    answer = part.get("supported") if isinstance(part, Mapping) else None
    return answer if isinstance(answer, bool) else None


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
