"""A cap on spending that is a wall: money is reserved before an attempt is sent and settled when it ended.

Pure arithmetic: no clock, no waiting, no prices. Amounts are kept in whole trillionths of a dollar, rounded up, so
that the sum of a million of them is no less than they are and a reservation is given back to its last digit.
"""

from __future__ import annotations

from math import ceil

from runner.models.dollars import dollars, enough, rounded_up
from runner.records import Limit

_UNITS = 10**12


class Budget:
    """US dollars: a cap, what is spent of it and what is reserved; `take` lets their sum never pass the cap.

    cap: None for none. spent: booked before this sitting: answers, overhead and what may have been billed.
    best_effort: what has no known price is let through although there is a cap. above: a cap that several jobs share
    (`--max-cost`). What is booked here is booked there too, but for what was spent before this sitting.
    """

    def __init__(
        self, cap: float | None, spent: float = 0.0, *, best_effort: bool = False, above: Budget | None = None
    ) -> None:
        self.cap = cap
        self.best_effort = best_effort
        self.above = above
        self._cap = None if cap is None else int(cap * _UNITS)
        self._spent = _units(spent)
        self._reserved = 0

    @property
    def spent(self) -> float:
        return self._spent / _UNITS

    @property
    def reserved(self) -> float:
        """What the attempts in flight may cost at most, as far as they have a price."""
        return self._reserved / _UNITS

    @property
    def left(self) -> float | None:
        """What may still be reserved, here and above; never below 0; None when nothing caps it."""
        here = None if self._cap is None else max(0, self._cap - self._spent - self._reserved) / _UNITS
        above = None if self.above is None else self.above.left
        return min((amount for amount in (here, above) if amount is not None), default=None)

    def take(self, usd: float | None) -> bool:
        """Reserve what an attempt may cost. False, and nothing is reserved, when it does not fit here or above.

        usd: None without a known price: let through, unreserved, with `best_effort` or where nothing caps it.
        """
        if not self._fits(usd, with_reserved=True):
            return False
        self._book(reserved=0 if usd is None else _units(usd))
        return True

    def could_take(self, usd: float | None) -> bool:
        """Whether it would fit if nothing were in flight; where it would not, waiting is pointless.

        What other jobs have in flight under the shared cap counts as not there either.
        """
        return self._fits(usd, with_reserved=False)

    def settle(self, reserved: float | None, paid: float | None) -> None:
        """An attempt ended that `take(reserved)` let through. To be called exactly once for each.

        paid: its cost; `reserved` when it may have been billed; 0 when it cost nothing. None: it was answered at an
        unknown price; that counts as the whole reservation, so that the cap holds.
        """
        booked = 0 if reserved is None else _units(reserved)
        self._book(reserved=-booked, spent=booked if paid is None else _units(paid))

    def _fits(self, usd: float | None, *, with_reserved: bool) -> bool:
        if usd is None and self.best_effort:
            return True
        if not self._fits_under(usd, self._reserved if with_reserved else 0):
            return False
        return self.above is None or self.above._fits(usd, with_reserved=with_reserved)

    def _fits_under(self, usd: float | None, reserved: int) -> bool:
        """Whether it fits under this cap alone, beside so much that is reserved."""
        return self._cap is None or (usd is not None and self._spent + reserved + _units(usd) <= self._cap)

    def _book(self, *, reserved: int, spent: int = 0) -> None:
        self._reserved += reserved
        self._spent += spent
        if self.above is not None:
            self.above._book(reserved=reserved, spent=spent)


def _units(usd: float) -> int:
    return ceil(usd * _UNITS)


def out_of_money(budget: Budget, usd: float | None) -> Limit:
    """Why nothing more is sent when a request that may cost so much does not fit: which cap, what is left of it."""
    shared = budget.above is not None and budget._fits_under(usd, 0)
    cap, name = (budget.above or budget, "--max-cost") if shared else (budget, "max_cost")
    booked = f"{name} {dollars(cap.cap or 0.0)}: {dollars(cap.spent)} is booked"
    if usd is None:
        step = "Write the price of its model under `prices`, or `best_effort: true` into `max_cost`; then run it again."
        return Limit("max_cost", f"{booked}, and the next request has no known price", step)
    left = dollars(max(0.0, (cap.cap or 0.0) - cap.spent))
    what = f"{booked}, and {left} is too little for the next request, which may cost {dollars(usd)}"
    if shared and usd <= (cap.cap or 0.0):
        again = "Run the same command again to go on with as much money once more, or raise `--max-cost`."
        return Limit("max_cost", what, again)
    if shared:
        step = f"Raise `--max-cost` to {enough(usd)} or more."
        return Limit("max_cost", what, step, "--max-cost", rounded_up(usd))
    least = cap.spent + usd
    step = f"Raise `run.max_cost` to {enough(least)} or more, then run the same command again: it goes on."
    return Limit("max_cost", what, step, "run.max_cost", rounded_up(least))
