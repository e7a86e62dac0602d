"""Which reply headers are kept, and what `retry-after` means. Pure functions over a mapping of headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz
from functools import lru_cache

KEPT = frozenset({"request-id", "retry-after", "retry-after-ms", "x-should-retry", "x-promptrun-simulated"})
KEPT_PREFIX = "anthropic-ratelimit-"
MAX_VALUE = 200


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth writing down, names in lower case; nothing that names the account or a credential."""
    return {kept: value[:MAX_VALUE] for name, value in headers.items() if (kept := _kept_name(name))}


@lru_cache(maxsize=256)
def _kept_name(name: str) -> str:
    """In lower case; "" for one that is not kept. Every reply has the same twenty names."""
    lower = name.lower()
    return lower if lower in KEPT or lower.startswith(KEPT_PREFIX) else ""


def is_simulated(headers: Mapping[str, str]) -> bool:
    """Whether the simulator wrote this reply, however it was reached."""
    return headers.get("x-promptrun-simulated") == "1"


def retry_after_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """How long the server asks to wait, in seconds from `now` (Unix time); None when it does not say.

    `retry-after-ms` (a number), then `retry-after` (a number of seconds or an HTTP date, which is compared with the
    server's own `date` so that a wrong clock here does not matter). A moment that has passed is 0.
    Source: SDK 2.12.0, `_parse_retry_after_header`; RFC 9110, 10.2.3.
    """
    milliseconds = number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    written = headers.get("retry-after")
    seconds = number(written)
    if seconds is not None:
        return max(0.0, seconds)
    moment = http_date(written)
    if moment is None:
        return None
    server_now = http_date(headers.get("date"))
    return max(0.0, moment - (now if server_now is None else server_now))


def number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def http_date(text: str | None) -> float | None:
    parsed = parsedate_tz(text or "")
    try:
        return float(mktime_tz(parsed)) if parsed else None
    except (ValueError, OverflowError):
        return None
