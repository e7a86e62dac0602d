"""What answers cost, in US dollars. Rates are the `PriceTable`'s, the arithmetic is here; bounds are `worst_case.py`'s.

A model without a known price makes a cost None ("unpriced"), never 0. Sources:
https://platform.claude.com/docs/en/about-claude/pricing (cache tiers, batch, fast mode, `inference_geo`, web search).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from runner.models.multipliers import multiplier
from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.prices import Price, Rates
from runner.models.usage import Tokens, usage_parts
from runner.models.worst_case import MILLION, WEB_SEARCH


def cost_usd(
    usage: Mapping[str, Any], model: str, prices: PriceTable = LIST_PRICES, *, refused_empty: bool = False
) -> float | None:
    """What an answer with this `usage` costs; None when a model in it has no known price or the usage has no counts.

    model: who served it, for the parts that do not say. refused_empty: the reply was a refusal with empty content,
    whose last attempt is free; so is an earlier attempt of `iterations` that declined before any output.
    """
    if type(usage.get("input_tokens")) is not int or type(usage.get("output_tokens")) is not int:
        return None
    costs = [cost for _, _, cost in _priced_parts(usage, model, prices, refused_empty=refused_empty)]
    known = [cost for cost in costs if cost is not None]
    return float(sum(known, Decimal(0))) if len(known) == len(costs) else None


def iteration_costs(message: Mapping[str, Any], model: str, prices: PriceTable = LIST_PRICES) -> list[dict[str, Any]]:
    """What each entry of `usage.iterations` cost: `{type, model, cost_usd}`, in order; [] for a reply without any.

    Their sum is `message_cost_usd`. model: the one asked for, used when neither the entry nor the reply names one.
    """
    usage = message.get("usage")
    entries = [entry for entry in _iterations(usage) if isinstance(entry, Mapping)]
    if not entries or not isinstance(usage, Mapping):
        return []
    parts = _priced_parts(usage, message.get("model") or model, prices, refused_empty=_refused_empty(message))
    return [
        {"type": entry.get("type"), "model": served, "cost_usd": None if cost is None else float(cost)}
        for entry, (served, _, cost) in zip(entries, parts, strict=True)
    ]


def _iterations(usage: Any) -> Sequence[Any]:
    return (usage.get("iterations") or ()) if isinstance(usage, Mapping) else ()


def _priced_parts(
    usage: Mapping[str, Any], model: str, prices: PriceTable, *, refused_empty: bool
) -> Iterator[tuple[str, Tokens, Decimal | None]]:
    """(model, tokens, US dollars) of each part that is billed on its own; None dollars without a known price."""
    parts = list(usage_parts(usage, model))
    for at, (served, tokens) in enumerate(parts):
        last = at == len(parts) - 1
        price = prices.price(served)
        if refused_empty if last else not tokens.output:
            yield served, tokens, Decimal(0)  # whatever the model's price is
        elif price is None:
            yield served, tokens, None
        else:
            cost = _tokens_usd(tokens, price) * multiplier(usage, served) + tokens.web_searches * WEB_SEARCH
            yield served, tokens, cost


def message_cost_usd(message: Mapping[str, Any], model: str, prices: PriceTable = LIST_PRICES) -> float | None:
    """What a whole reply (a Message as JSON) costs; `model` is the one asked for, used when the reply names none."""
    usage = message.get("usage")
    if not isinstance(usage, Mapping):
        return None
    return cost_usd(usage, message.get("model") or model, prices, refused_empty=_refused_empty(message))


def _refused_empty(message: Mapping[str, Any]) -> bool:
    """A refusal whose last attempt wrote nothing: marks between models and what others wrote are no text of it."""
    if message.get("stop_reason") != "refusal":
        return False
    attempts = [tokens for _, tokens in usage_parts(message.get("usage") or {}, "")]
    if len(attempts) > 1 and not attempts[-1].output:
        return True
    return all(block.get("type") == "fallback" for block in message.get("content") or ())


def input_cost_usd(model: str, tokens: int, requests: int = 1, prices: PriceTable = LIST_PRICES) -> float | None:
    """What this many uncached input tokens cost, spread evenly over so many requests."""
    price = prices.price(model)
    if price is None:
        return None
    return float(tokens * price.rates(tokens // max(requests, 1)).input / MILLION)


def reading_usd(model: str, tokens: int, prices: PriceTable = LIST_PRICES) -> float | None:
    """What this many tokens cost when they are read from the cache; None without a known price."""
    price = prices.price(model)
    return None if price is None else float(tokens * price.base.cache_read / MILLION)


def writing_usd(model: str, tokens: int, ttl: str = "5m", prices: PriceTable = LIST_PRICES) -> float | None:
    """What this many tokens cost when they are written to the cache."""
    price = prices.price(model)
    if price is None:
        return None
    rate = price.base.cache_write_1h if ttl == "1h" else price.base.cache_write_5m
    return float(tokens * rate / MILLION)


def cache_saving_usd(usage: Mapping[str, Any], model: str, prices: PriceTable = LIST_PRICES) -> float | None:
    """What caching saved on this answer against sending every token uncached; negative when it cost more.

    A part that was free saved nothing.
    """
    total = Decimal(0)
    for served, tokens, cost in _priced_parts(usage, model, prices, refused_empty=False):
        price = prices.price(served)
        if cost is None:
            return None
        if cost and price is not None:
            rates = price.rates(tokens.prompt)
            uncached = Tokens(tokens.prompt, output=tokens.output)
            total += (usd_at(uncached, rates) - usd_at(tokens, rates)) * multiplier(usage, served)
    return float(total)


def _tokens_usd(tokens: Tokens, price: Price) -> Decimal:
    return usd_at(tokens, price.rates(tokens.prompt))


def usd_at(tokens: Tokens, rates: Rates) -> Decimal:
    """What tokens cost at these rates, before anything multiplies it."""
    dollars = (
        tokens.input * rates.input
        + tokens.cache_read * rates.cache_read
        + tokens.cache_write_5m * rates.cache_write_5m
        + tokens.cache_write_1h * rates.cache_write_1h
        + tokens.output * rates.output
    )
    return dollars / MILLION
