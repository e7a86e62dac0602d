"""A job's prices: what the spec says goes over the list, and what neither knows stays unknown."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from runner.models.cost import cost_usd, input_cost_usd
from runner.models.price_table import LIST_PRICES, PriceTable, price_table
from runner.models.worst_case import worst_case_usd

DAY = date(2026, 11, 22)
USAGE = {"input_tokens": 1000, "output_tokens": 500, "cache_read_input_tokens": 10_000}


def test_an_override_replaces_what_it_says_and_keeps_the_rest():
    own = price_table({"claude-opus-5-5": {"input": 3.2, "output": 16}}, DAY)
    assert cost_usd(USAGE, "claude-opus-5-5", own) == pytest.approx((1000 * 3.2 + 500 * 16 + 10_000 * 0.2) / 1e6)
    assert cost_usd(USAGE, "claude-sonnet-5-5", own) == cost_usd(USAGE, "claude-sonnet-5-5")


def test_numbers_of_yaml_are_taken_as_they_are_written():
    rates = price_table({"claude-opus-5-5": {"input": 0.1}}, DAY).price("claude-opus-5-5").base
    assert rates.input == Decimal("0.1")


def test_a_dated_id_and_a_provider_s_id_have_the_price_of_their_family_unless_named_themselves():
    own = price_table({"claude-haiku-4-5": {"input": 9}, "claude-haiku-4-5-20251001": {"input": 8}}, DAY)
    assert own.price("claude-haiku-4-5-20251001").base.input == 8
    assert own.price("anthropic.claude-haiku-4-5-v1:0").base.input == 9


def test_an_override_holds_for_prompts_of_every_length():
    own = price_table({"claude-haiku-5-5": {"input": 0.05}}, DAY).price("claude-haiku-5-5")
    assert [own.rates(tokens).input for tokens in (1, 100_001)] == [Decimal("0.05")] * 2
    assert own.rates(100_001).output == Decimal("2.5")


def test_a_model_of_its_own_needs_input_and_output_and_caches_at_the_usual_multiples():
    own = price_table({"claude-of-our-own": {"input": 2, "output": 6}, "claude-half": {"input": 2}}, DAY)
    rates = own.price("claude-of-our-own").base
    assert (rates.cache_read, rates.cache_write_5m, rates.cache_write_1h) == (Decimal("0.2"), Decimal("2.5"), 4)
    assert own.price("claude-half") is None
    assert cost_usd(USAGE, "claude-half", own) is None


def test_the_bound_and_the_input_go_by_the_override_too():
    own = price_table({"claude-opus-5-5": {"input": 40, "cache_write_1h": 80}}, DAY)
    assert worst_case_usd("claude-opus-5-5", 1000, 0, own) == pytest.approx(1000 * 80 / 1e6)
    assert input_cost_usd("claude-opus-5-5", 1000, 1, own) == pytest.approx(0.04)


def test_the_day_chooses_the_price():
    before, after = PriceTable(on=date(2026, 3, 1)), PriceTable(on=DAY)
    assert before.price("claude-opus-4-6").rates(300_000).input == 10
    assert after.price("claude-opus-4-6").rates(300_000).input == 5


def test_it_says_where_its_prices_come_from():
    told = price_table({"claude-opus-5-5": {"input": 3.2}}, DAY).to_json()
    assert told == {
        "source": "genai-prices",
        "version": told["version"],
        "date": "2026-11-22",
        "overrides": {"claude-opus-5-5": {"input": 3.2}},
    }
    assert told["version"].count(".") == 2
    assert LIST_PRICES.to_json()["date"] is None
