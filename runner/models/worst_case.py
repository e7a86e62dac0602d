"""The most that requests may cost: what is reserved for each before it is sent, and the bound of a whole plan.

A token is never shorter than a byte, so that the bytes of a request bound its input; all of it is reckoned at the
dearest rate that applies. Arithmetic only. https://platform.claude.com/docs/en/about-claude/pricing
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.prices import Price, Rates
from runner.models.rules import known_models, rule_for
from runner.models.terms import DEFAULT
from runner.records import Terms

MILLION: Final = Decimal(1_000_000)
WEB_SEARCH: Final = Decimal(10) / 1000


class Sum(NamedTuple):
    """A number of tokens: so many times what a request's first call takes at most, what it may write, and a rest."""

    input: int = 0
    output: int = 0
    rest: int = 0

    def of(self, most: int, written: int) -> int:
        return self.input * most + self.output * written + self.rest


class Course(NamedTuple):
    """The calls that a request may take, one after the other. taken: the input of all of them; longest: of the last."""

    calls: int = 1
    taken: Sum = Sum(input=1)
    longest: Sum = Sum(input=1)


ONE_CALL: Final = Course()


class Leg(NamedTuple):
    """What one model may do in a course. taken, longest: input of all its passes and of the longest; written: output.

    at_least: it may write that much a call, whatever the request's `max_tokens`.
    """

    model: str
    price: Price | None
    taken: Sum
    longest: Sum
    written: int
    at_least: int = 0


class Group(NamedTuple):
    """Requests on one side of every price tier: how many, and the sums of their inputs and outputs, at most."""

    requests: int
    taken: int
    written: int


def worst_case_usd(
    model: str,
    most_tokens: int,
    max_tokens: int,
    prices: PriceTable = LIST_PRICES,
    terms: Terms = Terms(),  # noqa: B008 (a tuple: it cannot change)
) -> float | None:
    """The most one call may cost in US dollars, None without a known price of a model that may work on it.

    most_tokens: of its input (`Request.most_tokens`). A fallback may be paid beside the model, and reads what that
    wrote; each use of a tool that the API runs has the whole input read once more. What `terms.unbounded` names is not
    in it.
    """

    total = Decimal(0)
    for leg in _one_call(model, terms, prices, _day(prices)):
        if leg.price is None:
            return None
        written = max(max_tokens, leg.at_least)
        rates = leg.price.rates(leg.longest.of(most_tokens, written))
        input = leg.taken.of(most_tokens, written) * dearest_input(rates, terms)
        total += (input + leg.written * written * rates.output) / MILLION
    if terms.factor != 1.0:
        total *= Decimal(str(terms.factor))
    if terms.searches:
        total += terms.searches * (1 + len(terms.fallbacks)) * WEB_SEARCH
    return float(total)


@lru_cache(maxsize=256)
def _one_call(model: str, terms: Terms, prices: PriceTable, day: date) -> tuple[Leg, ...]:
    """The legs of one call; asked for with every attempt, and the same for nearly all of them."""
    return tuple(legs(model, terms, prices))


def _day(prices: PriceTable) -> date:
    return prices.on or datetime.now(UTC).date()


def course_usd(
    model: str,
    terms: Terms,
    prices: PriceTable,
    groups: Callable[[Leg], Iterable[tuple[Group, int]]],
    course: Course = ONE_CALL,
) -> Decimal | None:
    """What requests on one set of terms may cost together. groups: of a leg's requests, with the longest input each."""
    total = Decimal(0)
    for leg in legs(model, terms, prices, course):
        if leg.price is None:
            return None
        for group, longest in groups(leg):
            rates = leg.price.rates(longest)
            usd = (group.taken * dearest_input(rates, terms) + group.written * rates.output) / MILLION
            total += usd * Decimal(str(terms.factor)) + group.requests * course.calls * terms.searches * WEB_SEARCH
    return total


def legs(model: str, terms: Terms, prices: PriceTable, course: Course = ONE_CALL) -> Iterator[Leg]:
    """The model's own leg and one for each fallback.

    A call passes over its input once, once more after each use of a tool and once more to compact it; from the second
    pass on, and for a model that takes over, what was written before is input too.
    """
    passes, writes = 1 + terms.uses + terms.compacts, 1 + terms.compacts
    for hop, named in enumerate((model, *terms.fallbacks)):
        one = dearest_fallback(model, prices) if named == DEFAULT and hop else named
        before = hop + (passes > 1)
        calls, longest = course.calls, course.longest
        taken = Sum(
            passes * course.taken.input,
            passes * (course.taken.output + calls * before),
            passes * (course.taken.rest + calls * terms.found),
        )
        yield Leg(
            one or DEFAULT,
            prices.price(one) if one else None,
            taken,
            Sum(longest.input, longest.output + before, longest.rest + terms.found),
            writes * calls,
            terms.fallback_output if hop or calls > 1 else 0,
        )


def dearest_input(rates: Rates, terms: Terms) -> Decimal:
    """The dearest of what the request's input may be billed as."""
    if terms.caches == "1h":
        return rates.dearest_input
    plain = max(rates.input, rates.cache_read)
    return max(plain, rates.cache_write_5m) if terms.caches else plain


def dearest_fallback(model: str, prices: PriceTable) -> str | None:
    """The dearest model that `fallbacks: default` may plausibly hand a request to; the API names none beforehand.

    Anthropic recommends one model for each reason to decline, and those it names are models that do not decline
    themselves: of these, the ones that are not retired and have a price.
    """
    day = prices.on or datetime.now(UTC).date()
    priced = [
        (price.base.output, other) for other in _targets(day) if other != model and (price := prices.price(other))
    ]
    return max(priced)[1] if priced else None


def _targets(day: date) -> Iterator[str]:
    for model in known_models():
        rules = rule_for(model)
        if rules is not None and rules.fallbacks is False and (rules.retires is None or rules.retires > day):
            yield model
