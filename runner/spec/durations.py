"""Durations of the language: `30s`, `10m`, `2h`, `1d`; a bare number is seconds. Pure; seconds out."""

from __future__ import annotations

import math
import re
from typing import Final

_DURATION: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(written: str | int | float) -> float:
    """Seconds, 0 or more. Raises ValueError with a message for people."""
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        raise ValueError("a duration is a number of seconds or text such as `30s`, `10m`, `2h`, `1d`")
    if isinstance(written, str):
        match = _DURATION.fullmatch(written.strip())
        if match is None:
            raise ValueError(
                f"`{written[:40]}` is not a duration: write `30s`, `10m`, `2h`, `1d` or a number of seconds"
            )
        return float(int(match[1]) * _SECONDS[match[2]])
    if not math.isfinite(written) or written < 0:
        raise ValueError(f"a duration is 0 seconds or more, not {written}")
    return float(written)
