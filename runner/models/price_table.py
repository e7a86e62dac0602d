"""The prices of one job: the dated list of `prices.py` with what the spec says over it. Frozen and passed along.

A model that neither knows a price of is None, "unpriced", and never free. Every job has a table; what knows of prices
is loaded when one is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runner.models.rules import family

if TYPE_CHECKING:
    from runner.models.prices import Price, Rates

SOURCE: Final = "genai-prices"

_OF_INPUT: Final = {"cache_read": Decimal("0.1"), "cache_write_5m": Decimal("1.25"), "cache_write_1h": Decimal(2)}
"""Cache rates as parts of the input rate, for a model of which nothing else is known.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing; newer models read for less than 0.1.
"""


@dataclass(frozen=True, slots=True)
class Override:
    """What a spec says of one model's price: US dollars per million tokens; None keeps what the list says."""

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None

    def over(self, listed: Price | None) -> Price | None:
        """The listed price with this over it, for prompts of every length; None when too little is known."""
        from runner.models.prices import Price, Rates

        if listed is not None:
            return Price(self._rates(listed.base), tuple((start, self._rates(tier)) for start, tier in listed.tiers))
        if self.input is None or self.output is None:
            return None
        usual = {name: self.input * part for name, part in _OF_INPUT.items()}
        return Price(self._rates(Rates(self.input, self.output, **usual)))

    def _rates(self, rates: Rates) -> Rates:
        return replace(rates, **{name: value for name, value in self._values() if value is not None})

    def _values(self) -> list[tuple[str, Decimal | None]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    def to_json(self) -> dict[str, float]:
        """Only what it says."""
        return {name: float(value) for name, value in self._values() if value is not None}


@dataclass(frozen=True, slots=True)
class PriceTable:
    """overrides: (model id, what the spec says of it). on: the UTC day whose prices hold; None: the day of asking."""

    overrides: tuple[tuple[str, Override], ...] = ()
    on: date | None = None

    def price(self, model: str) -> Price | None:
        """The price of a model, None when it is not known. An override counts for its dated ids too."""
        from runner.models.prices import price_of

        listed = price_of(model, self.on)
        own = self._override(model) if self.overrides else None
        return listed if own is None else own.over(listed)

    def _override(self, model: str) -> Override | None:
        exact = next((own for id, own in self.overrides if id == model), None)
        if exact is not None:
            return exact
        return next((own for id, own in self.overrides if family(id) == family(model)), None)

    def to_json(self) -> dict[str, Any]:
        """Where the prices come from and of which day they are, as run.json and usage.json say it."""
        return {
            "source": SOURCE,
            "version": list_version(),
            "date": self.on.isoformat() if self.on else None,
            "overrides": {id: own.to_json() for id, own in self.overrides},
        }


LIST_PRICES: Final = PriceTable()
"""Today's list, for what belongs to no job."""


def price_table(written: Mapping[str, Mapping[str, Any]], on: date | None) -> PriceTable:
    """The table of a job. written: `prices:` of the spec, whose numbers have passed the schema."""
    return PriceTable(tuple((id, _override(rates)) for id, rates in written.items()), on)


def _override(rates: Mapping[str, Any]) -> Override:
    return Override(**{name: Decimal(str(value)) for name, value in rates.items()})


def list_version() -> str | None:
    """The version of the price list; asks the installed package's metadata and does not import it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(SOURCE)
    except PackageNotFoundError:
        return None
