"""What a call may cost at most: with region, fallbacks, tools and compaction, no usage of that size costs more."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.models.cost import cost_usd
from runner.models.price_table import LIST_PRICES, PriceTable, price_table
from runner.models.terms import PAGE_TOKENS, SEARCH_TOKENS, terms_of
from runner.models.worst_case import dearest_fallback, worst_case_usd
from runner.records import Terms

OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-5-5"
BODY = {"model": OPUS, "max_tokens": 10, "messages": []}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
FETCH = {"type": "web_fetch_20250910", "name": "web_fetch"}
NEITHER = {"fallbacks": [{"model": "claude-opus-4-8", "max_tokens": 900}, {"model": "claude-opus-4-6"}]}


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({}, Terms()),
        ({"speed": "standard", "inference_geo": "global", "output_config": {"effort": "low"}}, Terms()),
        ({"tools": [{"name": "look", "input_schema": {}}]}, Terms(added=1000)),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, Terms(added=3000)),
        ({"output_config": {"format": {}}}, Terms(added=1000)),
        ({"speed": "fast"}, Terms(2.0)),
        ({"inference_geo": "us"}, Terms(1.1)),
        ({"inference_geo": "us", "speed": "fast"}, Terms(2.2)),
        ({"model": "claude-opus-4-5", "inference_geo": "us"}, Terms()),
        ({"fallbacks": [{"model": "claude-opus-5", "speed": "fast"}]}, Terms(2.0, fallbacks=("claude-opus-5",))),
        ({"fallbacks": "default"}, Terms(fallbacks=("default",))),
        ({"model": "claude-opus-4-8", "fallbacks": "default"}, Terms()),
        ({"model": HAIKU, "fallbacks": "default"}, Terms()),
        (NEITHER, Terms(fallbacks=("claude-opus-4-8", "claude-opus-4-6"), fallback_output=900)),
        ({"tools": [SEARCH]}, Terms(added=3000, unbounded=("web_search",))),
        ({"tools": [SEARCH | {"max_uses": 3}]}, Terms(added=3000, uses=3, searches=3, found=3 * SEARCH_TOKENS)),
        ({"tools": [FETCH | {"max_uses": 2}]}, Terms(added=3000, uses=2, found=2 * PAGE_TOKENS)),
        ({"tools": [FETCH | {"max_uses": 2, "max_content_tokens": 50}]}, Terms(added=3000, uses=2, found=100)),
        (
            {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
            Terms(added=3000, unbounded=("code_execution",)),
        ),
        (
            {"mcp_servers": [{"name": "x"}], "tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]},
            Terms(added=3000, unbounded=("mcp_toolset", "mcp_servers")),
        ),
        ({"container": {"skills": [{"skill_id": "pdf"}]}}, Terms(unbounded=("container.skills",))),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, Terms(compacts=True)),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, Terms()),
    ],
)
def test_what_changes_the_price_of_a_request(fields, terms):
    assert terms_of({**BODY, **fields}) == terms


@pytest.mark.parametrize(
    ("text", "caches"),
    [
        (b'{"messages":[{"role":"user","content":"hello"}]}', ""),
        (b'{"content":"say \\"cache_control\\":{\\"ttl\\":\\"1h\\"}"}', ""),
        (b'{"cache_control":{"type":"ephemeral"}}', "5m"),
        (b'{"cache_control":{"type":"ephemeral","ttl":"1h"}}', "1h"),
    ],
)
def test_how_long_the_input_may_be_cached_is_seen_in_what_is_sent(text, caches):
    assert terms_of(BODY, text).caches == terms_of({**BODY, "speed": "fast"}, text).caches == caches


@pytest.mark.parametrize(("caches", "rate"), [("", 4), ("5m", 5), ("1h", 8)])
def test_the_dearest_rate_is_one_that_applies(caches, rate):
    assert worst_case_usd(OPUS, 1000, 500, terms=Terms(caches=caches)) == pytest.approx((1000 * rate + 500 * 20) / 1e6)


COUNTS = st.integers(0, 150_000)


@given(input=COUNTS, read=COUNTS, five=COUNTS, hour=COUNTS, output=COUNTS, fast=st.booleans(), us=st.booleans())
@pytest.mark.parametrize("model", [OPUS, HAIKU])
def test_no_usage_of_that_size_costs_more(model, input, read, five, hour, output, fast, us):
    usage = {
        "input_tokens": input,
        "output_tokens": output,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
        "speed": "fast" if fast else "standard",
        "inference_geo": "us" if us else "global",
    }
    terms = terms_of({"model": model, "speed": usage["speed"], "inference_geo": usage["inference_geo"]})
    most = worst_case_usd(model, input + read + five + hour, output, terms=terms)
    assert cost_usd(usage, model) <= most * (1 + 1e-12)


# ---------------------------------------------------------------- fallbacks


def test_a_fallback_may_be_paid_beside_the_model_that_declined():
    both = Terms(fallbacks=("claude-opus-4-8",))
    hop = {"type": "message", "model": OPUS, "input_tokens": 1000, "output_tokens": 500}
    served = {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1500, "output_tokens": 500}
    usage = {"input_tokens": 1500, "output_tokens": 500, "iterations": [hop, served]}
    most = worst_case_usd(OPUS, 1000, 500, terms=both)
    assert worst_case_usd(OPUS, 1000, 500) < cost_usd(usage, "claude-opus-4-8") <= most
    assert worst_case_usd(OPUS, 1000, 500, terms=Terms(fallbacks=("claude-new",))) is None


def test_a_fallback_that_may_write_more_is_bound_by_that():
    usual = Terms(fallbacks=("claude-opus-4-8",))
    more = usual._replace(fallback_output=2000)
    extra = worst_case_usd(OPUS, 1000, 500, terms=more) - worst_case_usd(OPUS, 1000, 500, terms=usual)
    assert extra == pytest.approx(1500 * (25 + 10) / 1e6)  # written by the fallback, and read by it at most


def test_each_hop_reads_what_those_before_it_wrote():
    terms = Terms(fallbacks=("claude-opus-4-8", "claude-opus-4-6"), caches="")
    expected = (1000 * 4 + 500 * 20) + (1500 * 5 + 500 * 25) + (2000 * 5 + 500 * 25)
    assert worst_case_usd(OPUS, 1000, 500, terms=terms) == pytest.approx(expected / 1e6)


def test_the_default_fallback_counts_as_the_dearest_model_that_declines_nothing_itself():
    on = PriceTable(on=date(2026, 11, 22))
    chosen = dearest_fallback(OPUS, on)
    assert on.price(chosen).base.output == 25  # not Opus 4 at 75, which is retired, nor a Fable at 50, which declines
    terms = Terms(fallbacks=("default",), caches="")
    assert worst_case_usd(OPUS, 1000, 500, on, terms) == pytest.approx(
        (1000 * 4 + 500 * 20 + 1500 * 5 + 500 * 25) / 1e6
    )
    named = Terms(fallbacks=("claude-opus-4-8",))
    assert worst_case_usd(OPUS, 9, 9, on, Terms(fallbacks=("default",))) >= worst_case_usd(OPUS, 9, 9, on, named)


def test_a_spec_s_own_prices_count_for_the_default_fallback():
    own = price_table({"claude-haiku-4-5": {"input": 1000, "output": 1000}}, date(2026, 11, 22))
    assert dearest_fallback(OPUS, own) == "claude-haiku-4-5"


def test_before_it_retires_a_dear_model_counts_too():
    before = PriceTable(on=date(2026, 6, 1))
    assert dearest_fallback("claude-fable-5", before) == "claude-opus-4"


# ---------------------------------------------------------------- tools that the API runs, compaction


def test_every_search_is_paid_and_has_all_of_it_read_once_more():
    terms = terms_of({**BODY, "tools": [SEARCH | {"max_uses": 2}]}, b"")
    found = 2 * SEARCH_TOKENS
    usage = {"input_tokens": 3 * (1000 + found + 500), "output_tokens": 500}
    usage["server_tool_use"] = {"web_search_requests": 2}
    assert worst_case_usd(OPUS, 1000, 500, terms=terms) == pytest.approx(cost_usd(usage, OPUS))


def test_a_fallback_may_search_as_often_again():
    searching, using = (Terms(fallbacks=("claude-opus-4-8",), uses=2, searches=searches) for searches in (2, 0))
    more = worst_case_usd(OPUS, 1000, 500, terms=searching) - worst_case_usd(OPUS, 1000, 500, terms=using)
    assert more == pytest.approx(2 * 2 * 0.01)


def test_the_tier_is_that_of_the_longest_pass():
    terms = terms_of({**BODY, "model": HAIKU, "tools": [SEARCH | {"max_uses": 4}]}, b"")
    tokens = 5 * (1000 + 4 * SEARCH_TOKENS + 500)
    assert worst_case_usd(HAIKU, 1000, 500, terms=terms) == pytest.approx((tokens * 0.5 + 500 * 2.5) / 1e6 + 0.04)


def test_compaction_may_read_and_write_everything_once_more():
    compaction = {"type": "compaction", "input_tokens": 1000, "output_tokens": 500}
    message = {"type": "message", "input_tokens": 1500, "output_tokens": 500}
    usage = {"input_tokens": 1500, "output_tokens": 500, "iterations": [compaction, message]}
    most = worst_case_usd(OPUS, 1000, 500, terms=Terms(compacts=True, caches=""))
    assert worst_case_usd(OPUS, 1000, 500) < cost_usd(usage, OPUS) <= most


# ---------------------------------------------------------------- without a price


def test_without_a_price_there_is_no_bound():
    assert worst_case_usd("claude-opus-99", 10, 10, LIST_PRICES) is None
