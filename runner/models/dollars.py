"""How an amount of money is written for people; prices and sums are elsewhere."""

from __future__ import annotations

import math


def dollars(usd: float) -> str:
    """Cents from a dollar on, two significant digits below: `$12.50`, `$0.043`, `$0.00016`."""
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:,.2f}" if usd else "$0"
    return f"${usd:.{_digits(usd)}f}"


def enough(usd: float) -> str:
    """The same, rounded up: an amount that covers it when it is typed as it stands."""
    return dollars(rounded_up(usd))


def rounded_up(usd: float) -> float:
    """The amount that `enough` writes."""
    if not usd:
        return 0.0
    digits = 2 if usd >= 1 else _digits(usd)
    return float(math.ceil(usd * 10**digits) / 10**digits)


def _digits(usd: float) -> int:
    """Behind the point, for two significant digits of less than a dollar."""
    return max(2, 1 - math.floor(math.log10(abs(usd))))
