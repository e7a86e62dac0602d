"""One `usage` object for several calls. No prices here; each call's cost is worked out from its own usage.

API facts (SDK 2.12.0 source `usage.py`, `beta_usage.py`): counts are whole numbers at the top level and in nested
objects; with `iterations` the entries are the whole bill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_PART: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
)


def summed_usage(usages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Counts added, nested ones too; of anything else the last call's word. One usage is itself; None without any.

    Where one call tells `iterations`, a call without becomes an iteration of its own, or their sum would miss it.
    """
    if len(usages) < 2:
        return usages[0] if usages else None
    if any(usage.get("iterations") for usage in usages):
        usages = [
            usage if usage.get("iterations") else {**usage, "iterations": [as_iteration(usage)]} for usage in usages
        ]
    total: Any = usages[0]
    for usage in usages[1:]:
        total = added(total, usage)
    return dict(total)


def as_iteration(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of `iterations` that a call without iterations would have."""
    return {"type": "message", **{name: usage[name] for name in _PART if name in usage}}


def added(one: Any, other: Any) -> Any:
    """Two values of one field of two usages."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = {**one, **other}
        return {name: added(one.get(name), other.get(name)) for name in names}
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return one + other if numbers else other
