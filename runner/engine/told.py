"""What reply headers tell of an account's limits. Pure functions over a mapping of headers.

https://platform.claude.com/docs/en/api/rate-limits#response-headers: `anthropic-ratelimit-<kind>-limit` and
`-remaining`; the remainders of tokens are rounded to the nearest thousand. `-reset` is not needed: what refills is
known from the limit. The `tokens` kind is the tighter of the other two and only read where those are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

REQUESTS, INPUT, OUTPUT, TOKENS = "requests", "input-tokens", "output-tokens", "tokens"
KINDS: Final = (REQUESTS, INPUT, OUTPUT, TOKENS)
ROUNDED_TO = 1000
_NAMES: Final = {kind: (f"anthropic-ratelimit-{kind}-limit", f"anthropic-ratelimit-{kind}-remaining") for kind in KINDS}


class Told(NamedTuple):
    """One limit. limit: a minute. remaining: as written."""

    limit: float
    remaining: float

    def range(self, *, exact: bool) -> tuple[float, float]:
        """Between which values the remainder lies. exact: it is not rounded."""
        if exact or self.limit < 2 * ROUNDED_TO:
            return self.remaining, self.remaining + 1
        return self.remaining - ROUNDED_TO / 2, self.remaining + ROUNDED_TO / 2


def told_by(headers: Mapping[str, str]) -> dict[str, Told]:
    """Kind → what is told of it; {} without such headers."""
    found = {}
    for kind in (REQUESTS, INPUT, OUTPUT):
        told = _told(headers, kind)
        if told is not None:
            found[kind] = told
    if INPUT not in found and OUTPUT not in found:
        told = _told(headers, TOKENS)
        if told is not None:
            found[TOKENS] = told
    return found


def _told(headers: Mapping[str, str], kind: str) -> Told | None:
    limit_name, remaining_name = _NAMES[kind]
    if limit_name not in headers or remaining_name not in headers:
        return None
    try:
        limit, remaining = float(headers[limit_name]), float(headers[remaining_name])
    except ValueError:
        return None
    return Told(limit, remaining) if 0 < limit < float("inf") and remaining == remaining else None
