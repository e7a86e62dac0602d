"""What answers cost and what requests may cost, in US dollars. Base rates are `prices.py`'s, the arithmetic is here.

A model without a known price makes a cost None ("unpriced"), never 0. Sources:
https://platform.claude.com/docs/en/about-claude/pricing (cache tiers, batch, fast mode, `inference_geo`, web search).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from runner.models.prices import Price, Rates, price_of
from runner.models.rules import rule_for
from runner.models.usage import Tokens, usage_parts

_MILLION = Decimal(1_000_000)
_WEB_SEARCH = Decimal(10) / 1000
_BATCH = Decimal("0.5")
_FAST = Decimal(2)
BYTES_PER_TOKEN = 3.5
"""A rough size of a token in UTF-8 JSON, between English prose (about 4) and code or newer tokenizers (about 3)."""


def cost_usd(usage: Mapping[str, Any], model: str, *, refused_empty: bool = False) -> float | None:
    """What an answer with this `usage` costs; None when a model in it has no known price or the usage has no counts.

    model: who served it, for the parts that do not say. refused_empty: the reply was a refusal with empty content,
    whose last attempt is free; so is an earlier attempt of `iterations` that declined before any output.
    """
    if type(usage.get("input_tokens")) is not int or type(usage.get("output_tokens")) is not int:
        return None
    parts = list(usage_parts(usage, model))
    total = Decimal(0)
    for at, (served, tokens) in enumerate(parts):
        last = at == len(parts) - 1
        price = price_of(served)
        if price is None:
            return None
        if (refused_empty and last) or (not last and not tokens.output):
            continue
        total += _tokens_usd(tokens, price) * _multiplier(usage, served) + tokens.web_searches * _WEB_SEARCH
    return float(total)


def message_cost_usd(message: Mapping[str, Any], model: str) -> float | None:
    """What a whole reply (a Message as JSON) costs; `model` is the one asked for, used when the reply names none."""
    usage = message.get("usage")
    if not isinstance(usage, Mapping):
        return None
    refused_empty = message.get("stop_reason") == "refusal" and not message.get("content")
    return cost_usd(usage, message.get("model") or model, refused_empty=refused_empty)


def worst_case_usd(model: str, body_bytes: int, max_tokens: int) -> float | None:
    """The most one request may cost: a token for every byte, all of them written to the dearest cache, and all output.

    Tokens are never shorter than a byte, so this is a bound; for text it is several times the usual input cost.
    """
    price = price_of(model)
    if price is None:
        return None
    rates = price.rates(body_bytes)
    return float((body_bytes * rates.dearest_input + max_tokens * rates.output) / _MILLION)


def estimated_tokens(body_bytes: int) -> int:
    """About how many input tokens a body of this size has."""
    return round(body_bytes / BYTES_PER_TOKEN)


def input_cost_usd(model: str, tokens: int, requests: int = 1) -> float | None:
    """What this many uncached input tokens cost, spread evenly over so many requests."""
    price = price_of(model)
    if price is None:
        return None
    return float(tokens * price.rates(tokens // max(requests, 1)).input / _MILLION)


def cache_saving_usd(usage: Mapping[str, Any], model: str) -> float | None:
    """What caching saved on this answer against sending every token uncached; negative when it cost more."""
    total = Decimal(0)
    for served, tokens in usage_parts(usage, model):
        price = price_of(served)
        if price is None:
            return None
        rates = price.rates(tokens.prompt)
        cached = Tokens(tokens.prompt, output=tokens.output)
        total += (_at_rates(cached, rates) - _at_rates(tokens, rates)) * _multiplier(usage, served)
    return float(total)


def _tokens_usd(tokens: Tokens, price: Price) -> Decimal:
    return _at_rates(tokens, price.rates(tokens.prompt))


def _at_rates(tokens: Tokens, rates: Rates) -> Decimal:
    dollars = (
        tokens.input * rates.input
        + tokens.cache_read * rates.cache_read
        + tokens.cache_write_5m * rates.cache_write_5m
        + tokens.cache_write_1h * rates.cache_write_1h
        + tokens.output * rates.output
    )
    return dollars / _MILLION


def _multiplier(usage: Mapping[str, Any], model: str) -> Decimal:
    """Batch, fast mode and US inference stack. They are told at the top level of `usage`, for all its parts."""
    factor = Decimal(1)
    if usage.get("service_tier") == "batch":
        factor *= _BATCH
    if usage.get("speed") == "fast":
        factor *= _FAST
    if usage.get("inference_geo") == "us" and (rule := rule_for(model)) is not None:
        factor *= Decimal(str(rule.us_multiplier))
    return factor
