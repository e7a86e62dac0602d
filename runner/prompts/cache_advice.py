"""What a plan says about prompt caching: what will be written and read, and warnings with what a mistake costs.

Only what needs counts stands here; what the spec alone tells is `spec/lint_cache.py`'s, and what it comes to in dollars
`cache_cost.py`'s, which is loaded with the first warning. Token counts are estimates from text size. https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from runner.errors import Problem
from runner.models.caching import GREATEST_LEAST, least_tokens
from runner.models.price_table import PriceTable
from runner.models.text_size import estimated_tokens
from runner.prompts.prefix_ledger import PrefixLedger, Unshared
from runner.records import CachePlan, Plan
from runner.spec.job import CacheSpec, JobSpec

MOST_NAMED: Final = 3


def with_cache(plan: Plan, job: JobSpec, prefixes: PrefixLedger) -> Plan:
    """The plan with what it caches and what it warns of."""
    found = [problem for rule in RULES for problem in rule(plan, job.cache, prefixes, job.prices)]
    if "turns" in {name for cell in job.cells for name in cell.fields}:
        found = [problem for problem in found if problem.rule != "cache-automatic"]
    return replace(plan, cache=cache_plan(job.cache, prefixes), warnings=[*plan.warnings, *found])


def cache_plan(cache: CacheSpec, prefixes: PrefixLedger) -> CachePlan | None:
    """None when nothing is shared, or the plan does not decide what is cached."""
    if cache.mode not in ("shared", "manual"):
        return None
    writes, uses, written, used = prefixes.planned()
    return CachePlan(writes, uses - writes, written, used - written, prefixes.ttl) if writes else None


# ---------------------------------------------------------------- warnings


def row_variable(plan: Plan, cache: CacheSpec, prefixes: PrefixLedger, prices: PriceTable) -> Iterator[Problem]:
    """A long system prompt that a row's value makes different for every row."""
    if cache.mode != "shared" or not cache.varying:
        return
    alone = prefixes.unshared(system=True)
    requests = sum(one.requests for one in alone)
    if requests < 2 or 2 * requests < plan.requests - plan.identical - plan.bad:
        return
    from runner.prompts.cache_cost import once_usd, total_usd, uncached_usd

    names = _listed([f"`{{{{ {one.name} }}}}`" for one in cache.varying])
    tokens = sum(one.tokens for one in alone)
    now = total_usd(alone, lambda one: uncached_usd(one, prices))
    then = total_usd(alone, lambda one: once_usd(one, prices))
    cost = f": {_money(now)}" if now is not None else ""
    what = f"{names} makes the system prompt of {requests:,} requests one that no other shares; "
    what += f"about {tokens:,} tokens are paid in full{cost}"
    better = f" for about {_money(then)}" if then is not None else ""
    step = f"move it into the prompt: then the system prompt is written once and read by all others{better}"
    first = cache.varying[0]
    yield Problem("cache-row-variable", what, first.where, first.field, step, "warning")


def marked_alone(plan: Plan, cache: CacheSpec, prefixes: PrefixLedger, prices: PriceTable) -> Iterator[Problem]:
    """`cache: true` behind what differs in every request: each writes what nobody reads."""
    if cache.mode != "manual":
        return
    alone = prefixes.unshared(system=False)
    requests = sum(one.requests for one in alone)
    if requests < 2:
        return
    from runner.prompts.cache_cost import extra_usd, total_usd

    ttl = "1h" if cache.ttl == "1h" else "5m"
    lost = total_usd(alone, lambda one: extra_usd(one, ttl, prices))
    cost = f", for about {_money(lost)} more than without caching" if lost is not None else ""
    what = f"{requests:,} requests have a marked prefix that no other request has: "
    what += f"each writes it and nobody reads it{cost}"
    first = cache.varying[0] if cache.varying else None
    step = "put the mark behind what all rows share" + (f", in front of `{{{{ {first.name} }}}}`" if first else "")
    where = first.where if first else cache.where
    yield Problem("cache-row-variable", what, where, first.field if first else "cache", step, "warning")


def automatic(plan: Plan, cache: CacheSpec, prefixes: PrefixLedger, prices: PriceTable) -> Iterator[Problem]:
    """The API's automatic breakpoint stands behind the last block, which independent rows never share."""
    sent = sum(model.requests for model in plan.models)
    if cache.mode != "automatic" or sent < 2:
        return
    ttl = "1h" if cache.ttl == "1h" else "5m"
    all_ = [Unshared(one.model, one.requests, estimated_tokens(one.body_bytes)) for one in plan.models]
    long = [one for one in all_ if one.tokens / max(1, one.requests) >= least_tokens(one.model)[0]]
    if not long:
        return
    from runner.prompts.cache_cost import extra_usd, total_usd

    lost = total_usd(long, lambda one: extra_usd(one, ttl, prices))
    cost = f" and costs about {_money(lost)} more than without caching" if lost is not None else ""
    what = f"`automatic` has each of {sent:,} independent requests write its own whole text, which no other reads{cost}"
    step = "write `cache: shared`; `automatic` is for conversations that grow"
    yield Problem("cache-automatic", what, cache.where, "cache", step, "warning")


def minimum_unknown(plan: Plan, cache: CacheSpec, prefixes: PrefixLedger, prices: PriceTable) -> Iterator[Problem]:
    """A prefix that some models would cache and others would not, on a model that nobody knows it of."""
    if cache.mode != "shared" or cache.where is None:
        return
    for model, tokens in prefixes.shortest_shared():
        least, known = least_tokens(model)
        if not known and tokens < GREATEST_LEAST:
            what = (
                f"the shared prefix has about {tokens:,} tokens, and how many `{model}` needs to cache it is not known"
            )
            step = f"{least:,} are assumed; the summary says whether it was read"
            yield Problem("cache-minimum", what, cache.where, "cache", step, "warning")


def nothing_to_warm_up(plan: Plan, cache: CacheSpec, prefixes: PrefixLedger, prices: PriceTable) -> Iterator[Problem]:
    """A warm-up is a request of its own, and here none would be sent."""
    if cache.warm_up and cache.mode in ("shared", "manual") and plan.requests and not prefixes.planned()[0]:
        what = "there is nothing to warm up: no prefix that is long enough is shared by two requests"
        yield Problem("cache-warm-up", what, cache.where, "cache", "remove `warm_up`", "warning")


RULES = (row_variable, marked_alone, automatic, minimum_unknown, nothing_to_warm_up)


# ---------------------------------------------------------------- words


def _money(usd: float | None) -> str:
    usd = usd or 0.0
    return f"${usd:,.2f}" if usd >= 0.01 else f"${usd:.2g}"


def _listed(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
