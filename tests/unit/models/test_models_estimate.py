"""The estimate of a plan: a range for the output, cached parts at their rates, half for a batch, and unknown prices."""

from __future__ import annotations

from datetime import date

import pytest

from runner.models.estimate import ModelCost, Part, Sizes, in_sum, model_cost
from runner.models.price_table import PriceTable, price_table

LIST = PriceTable(on=date(2026, 11, 22))
OPUS = Sizes("claude-opus-5-5", (Part(400, 800_000, 40_000),))


def cost(sizes: Sizes, prices: PriceTable = LIST) -> ModelCost:
    return model_cost(sizes, prices, most_usd=9.0)


def test_the_range_goes_from_no_output_to_all_that_is_allowed():
    made = cost(OPUS)
    assert made.least_usd == pytest.approx(0.8 * 4)
    assert made.full_usd == pytest.approx(0.8 * 4 + 0.04 * 20)
    assert (made.likely_usd, made.saved_usd, made.most_usd) == (None, 0.0, 9.0)


def test_earlier_answers_say_what_is_likely_but_never_more_than_is_allowed():
    assert cost(Sizes(OPUS.model, OPUS.parts, mean_output=25)).likely_usd == pytest.approx(3.2 + 400 * 25 * 20 / 1e6)
    long = cost(Sizes(OPUS.model, OPUS.parts, mean_output=1e6))
    assert long.likely_usd == long.full_usd


def test_cached_tokens_have_rates_of_their_own():
    cached = Sizes(OPUS.model, OPUS.parts, written=1_800, read=718_200)
    assert cost(cached).least_usd == pytest.approx((80_000 * 4 + 1_800 * 5 + 718_200 * 0.2) / 1e6)
    assert cost(cached).saved_usd == pytest.approx(cost(OPUS).least_usd - cost(cached).least_usd)
    hour = Sizes(OPUS.model, OPUS.parts, written=1_800, read=718_200, ttl="1h")
    assert cost(hour).least_usd - cost(cached).least_usd == pytest.approx(1_800 * 3 / 1e6)


def test_writing_for_nobody_costs_more_than_it_saves():
    assert cost(Sizes(OPUS.model, OPUS.parts, written=800_000)).saved_usd == pytest.approx(-0.8)


def test_speed_counts_for_its_own_part_only():
    fast = Sizes(OPUS.model, (Part(200, 400_000, 20_000), Part(200, 400_000, 20_000, 2.0)))
    assert cost(fast).least_usd == pytest.approx(1.5 * cost(OPUS).least_usd)


def test_long_prompts_are_at_their_own_tier():
    haiku = Sizes("claude-haiku-5-5", (Part(1, 100_001, 0),))
    assert cost(haiku).least_usd == pytest.approx(100_001 * 0.5 / 1e6)


def test_unknown_is_none_and_one_unknown_makes_the_sum_unknown():
    new = cost(Sizes("claude-next", OPUS.parts))
    assert (new.least_usd, new.full_usd, new.saved_usd) == (None, None, 0.0)
    assert in_sum([cost(OPUS), new], lambda one: one.least_usd) is None
    assert in_sum([cost(OPUS), cost(OPUS)], lambda one: one.least_usd) == pytest.approx(6.4)


def test_the_spec_s_prices_count():
    own = price_table({"claude-next": {"input": 1, "output": 2}}, date(2026, 11, 22))
    assert cost(Sizes("claude-next", OPUS.parts), own).full_usd == pytest.approx(0.8 + 0.08)


def test_a_batch_costs_half_as_json_says_it():
    told = cost(OPUS).to_json()
    assert told["batch"] == {
        "least_usd": told["least_usd"] / 2,
        "likely_usd": None,
        "full_usd": told["full_usd"] / 2,
        "most_usd": 4.5,
    }
    assert (told["input_tokens"], told["max_output_tokens"], told["input_margin_tokens"]) == (800_000, 40_000, None)
