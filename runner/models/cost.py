"""What answers cost and what requests may cost, in US dollars. Rates are the `PriceTable`'s, the arithmetic is here.

A model without a known price makes a cost None ("unpriced"), never 0. Sources:
https://platform.claude.com/docs/en/about-claude/pricing (cache tiers, batch, fast mode, `inference_geo`, web search).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from runner.models.price_table import LIST_PRICES, PriceTable
from runner.models.prices import Price, Rates
from runner.models.rules import rule_for
from runner.models.usage import Tokens, usage_parts
from runner.records import Terms

_MILLION = Decimal(1_000_000)
_WEB_SEARCH = Decimal(10) / 1000
_BATCH = Decimal("0.5")
_FAST = Decimal(2)
_TERMS = ("speed", "inference_geo", "fallbacks", "tools", "mcp_servers", "output_config")
_ADDED = 1_000
_ADDED_BY_TYPED = 2_000
BYTES_PER_TOKEN = 3.5
"""A rough size of a token in UTF-8 JSON, between English prose (about 4) and code or newer tokenizers (about 3)."""


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
        if price is None:
            yield served, tokens, None
        elif (refused_empty and last) or (not last and not tokens.output):
            yield served, tokens, Decimal(0)
        else:
            cost = _tokens_usd(tokens, price) * _multiplier(usage, served) + tokens.web_searches * _WEB_SEARCH
            yield served, tokens, cost


def message_cost_usd(message: Mapping[str, Any], model: str, prices: PriceTable = LIST_PRICES) -> float | None:
    """What a whole reply (a Message as JSON) costs; `model` is the one asked for, used when the reply names none."""
    usage = message.get("usage")
    if not isinstance(usage, Mapping):
        return None
    return cost_usd(usage, message.get("model") or model, prices, refused_empty=_refused_empty(message))


def _refused_empty(message: Mapping[str, Any]) -> bool:
    """A refusal whose last attempt wrote nothing; the marks between models are no text of it."""
    written = [block for block in message.get("content") or () if block.get("type") != "fallback"]
    return message.get("stop_reason") == "refusal" and not written


def worst_case_usd(
    model: str,
    most_tokens: int,
    max_tokens: int,
    prices: PriceTable = LIST_PRICES,
    terms: Terms = Terms(),  # noqa: B008 (a tuple: it cannot change)
) -> float | None:
    """The most one call may cost: a token for every byte, all of them written to the dearest cache, and all output.

    most_tokens: of its input; tokens are never shorter than a byte, so this is a bound; for text it is several times
    the usual input cost. A fallback that the call names may be paid beside it, and reads what was written before.
    """
    total = worst_cases_usd(model, [(1, most_tokens, max_tokens)], prices, terms.factor)
    for fallback in terms.fallbacks:
        hop = worst_cases_usd(fallback, [(1, most_tokens + max_tokens, max_tokens)], prices, terms.factor)
        total = None if total is None or hop is None else total + hop
    return None if total is None else float(total)


def worst_cases_usd(
    model: str, groups: Iterable[tuple[int, int, int]], prices: PriceTable, factor: float
) -> Decimal | None:
    """The same for groups of calls to one model. Each: (calls, input tokens at most, output tokens at most), all sums.

    The calls of a group have to be at one tier of the model's price.
    """
    price = prices.price(model)
    if price is None:
        return None
    total = Decimal(0)
    for calls, most, output in groups:
        rates = price.rates(-(-most // max(calls, 1)))
        total += most * rates.dearest_input + output * rates.output
    return total * Decimal(str(factor)) / _MILLION


def terms_of(body: Mapping[str, Any]) -> Terms:
    """What of a request's body changes what its tokens cost."""
    if body.keys().isdisjoint(_TERMS):
        return Terms()
    factor = _multiplier({name: body.get(name) for name in ("speed", "inference_geo")}, body["model"])
    named = body.get("fallbacks")
    models = [one.get("model") for one in named if isinstance(one, Mapping)] if isinstance(named, list) else ()
    typed = [tool for tool in body.get("tools") or () if tool.get("type", "custom") != "custom"]
    return Terms(
        float(factor),
        tuple(str(model) for model in models),
        tools=bool(typed or body.get("mcp_servers")),
        added=_added(body, len(typed)),
    )


def _added(body: Mapping[str, Any], typed: int) -> int:
    """Instructions for tools and formats, and definitions behind a tool's `type`; all of them well under these sizes.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing (a few hundred tokens each).
    """
    instructed = bool(body.get("tools") or body.get("mcp_servers") or "format" in (body.get("output_config") or {}))
    return instructed * _ADDED + typed * _ADDED_BY_TYPED


def estimated_tokens(body_bytes: int) -> int:
    """About how many input tokens a body of this size has."""
    return round(body_bytes / BYTES_PER_TOKEN)


def input_cost_usd(model: str, tokens: int, requests: int = 1, prices: PriceTable = LIST_PRICES) -> float | None:
    """What this many uncached input tokens cost, spread evenly over so many requests."""
    price = prices.price(model)
    if price is None:
        return None
    return float(tokens * price.rates(tokens // max(requests, 1)).input / _MILLION)


def cache_saving_usd(usage: Mapping[str, Any], model: str, prices: PriceTable = LIST_PRICES) -> float | None:
    """What caching saved on this answer against sending every token uncached; negative when it cost more.

    A part that was free saved nothing.
    """
    total = Decimal(0)
    for served, tokens, cost in _priced_parts(usage, model, prices, refused_empty=False):
        price = prices.price(served)
        if price is None:
            return None
        if cost:
            rates = price.rates(tokens.prompt)
            uncached = Tokens(tokens.prompt, output=tokens.output)
            total += (usd_at(uncached, rates) - usd_at(tokens, rates)) * _multiplier(usage, served)
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
