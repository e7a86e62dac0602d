"""What a call may cost at most: with speed, region and fallbacks, no usage of that size costs more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.models.cost import cost_usd, terms_of, worst_case_usd
from runner.records import Terms

BODY = {"model": "claude-opus-5-5", "max_tokens": 10, "messages": []}


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({}, Terms()),
        ({"speed": "standard", "inference_geo": "global", "output_config": {"effort": "low"}}, Terms()),
        ({"tools": [{"name": "look", "input_schema": {}}]}, Terms(added=1000)),
        ({"output_config": {"format": {}}}, Terms(added=1000)),
        ({"speed": "fast"}, Terms(2.0)),
        ({"inference_geo": "us"}, Terms(1.1)),
        ({"inference_geo": "us", "speed": "fast"}, Terms(2.2)),
        ({"model": "claude-opus-4-5", "inference_geo": "us"}, Terms()),
        ({"fallbacks": "default"}, Terms()),
        ({"fallbacks": [{"model": "claude-opus-4-8"}]}, Terms(fallbacks=("claude-opus-4-8",))),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, Terms(tools=True, added=3000)),
        ({"mcp_servers": [{"name": "x"}]}, Terms(tools=True, added=1000)),
    ],
)
def test_what_changes_the_price_of_a_request(fields, terms):
    assert terms_of({**BODY, **fields}) == terms


COUNTS = st.integers(0, 150_000)


@given(input=COUNTS, read=COUNTS, five=COUNTS, hour=COUNTS, output=COUNTS, fast=st.booleans(), us=st.booleans())
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-haiku-5-5"])
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


def test_a_fallback_may_be_paid_beside_the_model_that_declined():
    both = Terms(fallbacks=("claude-opus-4-8",))
    hop = {"type": "message", "model": "claude-opus-5-5", "input_tokens": 1000, "output_tokens": 500}
    served = {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1500, "output_tokens": 500}
    usage = {"input_tokens": 1500, "output_tokens": 500, "iterations": [hop, served]}
    most = worst_case_usd("claude-opus-5-5", 1000, 500, terms=both)
    assert worst_case_usd("claude-opus-5-5", 1000, 500) < cost_usd(usage, "claude-opus-4-8") <= most
    assert worst_case_usd("claude-opus-5-5", 1000, 500, terms=Terms(fallbacks=("claude-new",))) is None
