"""Cost arithmetic, checked against worked examples: 1,000 in, 20,000 read, 1,000 to 5m, 2,000 to 1h, 500 out."""

from datetime import date

import pytest

from runner.models.cost import (
    cache_saving_usd,
    cost_usd,
    input_cost_usd,
    iteration_costs,
    message_cost_usd,
    reading_usd,
    writing_usd,
)
from runner.models.prices import price_of
from runner.models.worst_case import worst_case_usd


def usage(**changes):
    return {
        "input_tokens": 1000,
        "cache_read_input_tokens": 20_000,
        "cache_creation_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
        "output_tokens": 500,
    } | changes


PLAIN = {"input_tokens": 1000, "output_tokens": 500}


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("claude-opus-4-8", 0.05375),
        ("claude-opus-5-5", 0.039),
        ("claude-sonnet-5-5", 0.0195),
        ("claude-haiku-5-5", 0.001075),
        ("claude-fable-5-2", 0.074),
    ],
)
def test_worked_costs_come_out_exactly(model, dollars):
    assert cost_usd(usage(), model) == dollars


def test_an_unknown_model_is_unpriced_and_never_free():
    assert cost_usd(usage(), "claude-opus-99") is None
    assert worst_case_usd("claude-opus-99", 10, 10) is None
    assert input_cost_usd("claude-opus-99", 10) is None
    assert cost_usd({"input_tokens": 0, "output_tokens": 0}, "claude-opus-99") is None
    assert reading_usd("claude-opus-99", 10) is None
    assert writing_usd("claude-opus-99", 10) is None
    assert cache_saving_usd(usage(), "claude-opus-99") is None


def test_a_usage_without_counts_is_unpriced():
    assert cost_usd({}, "claude-opus-5-5") is None
    assert cost_usd({"input_tokens": "12", "output_tokens": 1}, "claude-opus-5-5") is None
    assert cost_usd({"input_tokens": 12}, "claude-opus-5-5") is None
    assert message_cost_usd({"usage": None}, "claude-opus-5-5") is None


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        ({"service_tier": "batch"}, 0.5),
        ({"service_tier": "standard", "speed": "standard", "inference_geo": "global"}, 1),
        ({"speed": "fast"}, 2),
        ({"inference_geo": "us"}, 1.1),
        ({"service_tier": "batch", "speed": "fast", "inference_geo": "us"}, 1.1),
    ],
)
def test_multipliers_stack(changes, factor):
    assert cost_usd(usage(**changes), "claude-opus-5-5") == pytest.approx(0.039 * factor)


def test_us_inference_costs_no_more_before_4_6():
    assert cost_usd(PLAIN | {"inference_geo": "us"}, "claude-opus-4-5") == cost_usd(PLAIN, "claude-opus-4-5")
    assert cost_usd(PLAIN | {"inference_geo": "us"}, "claude-opus-4-6") > cost_usd(PLAIN, "claude-opus-4-6")


def test_web_searches_cost_ten_dollars_a_thousand_and_are_not_multiplied():
    searched = PLAIN | {"server_tool_use": {"web_search_requests": 3}, "service_tier": "batch"}
    assert cost_usd(searched, "claude-opus-5-5") == pytest.approx(0.014 / 2 + 0.03)


def test_haiku_5_5_costs_five_times_on_every_token_above_100k_prompt_tokens():
    at = {"input_tokens": 40_000, "cache_read_input_tokens": 60_000, "output_tokens": 1000}
    above = at | {"input_tokens": 40_001}
    low = (40_000 * 0.10 + 60_000 * 0.01 + 1000 * 0.50) / 1e6
    high = 5 * (40_001 * 0.10 + 60_000 * 0.01 + 1000 * 0.50) / 1e6
    assert cost_usd(at, "claude-haiku-5-5") == pytest.approx(low)
    assert cost_usd(above, "claude-haiku-5-5") == pytest.approx(high)
    assert cost_usd(above, "claude-sonnet-5-5") < 2 * cost_usd(at, "claude-sonnet-5-5")


def test_every_kind_of_input_counts_for_the_tier():
    told = {"input_tokens": 25_001, "cache_read_input_tokens": 25_000, "output_tokens": 0}
    writes = {"ephemeral_5m_input_tokens": 25_000, "ephemeral_1h_input_tokens": 25_000}
    high = 5 * (25_001 * 0.10 + 25_000 * (0.01 + 0.125 + 0.20)) / 1e6
    assert cost_usd(told | {"cache_creation": writes}, "claude-haiku-5-5") == pytest.approx(high)


def test_prices_change_on_a_day():
    before, after = price_of("claude-opus-4-6", date(2026, 3, 1)), price_of("claude-opus-4-6", date(2026, 11, 22))
    assert before.rates(300_000).input == 10
    assert after.rates(300_000).input == 5


def test_iterations_are_the_whole_bill_each_at_its_model():
    entries = [
        {"type": "message", "model": "claude-opus-5-5", "input_tokens": 1000, "output_tokens": 100},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 500},
    ]
    top = PLAIN | {"iterations": entries}
    expected = (1000 * 4 + 100 * 20 + 1000 * 5 + 500 * 25) / 1e6
    assert cost_usd(top, "claude-opus-4-8") == pytest.approx(expected)


def test_an_attempt_that_declined_without_output_is_free():
    declined = {"type": "message", "model": "claude-fable-5-2", "input_tokens": 1000, "output_tokens": 0}
    served = {"type": "fallback_message", "model": "claude-opus-5-5", **PLAIN}
    top = PLAIN | {"iterations": [declined, served]}
    assert cost_usd(top, "claude-opus-5-5") == cost_usd(PLAIN, "claude-opus-5-5")


def test_an_iteration_without_a_price_makes_the_whole_unpriced():
    served = {"type": "fallback_message", "model": "claude-unheard-of", **PLAIN}
    assert cost_usd(PLAIN | {"iterations": [served]}, "claude-opus-5-5") is None


def test_empty_iterations_mean_the_top_level():
    assert cost_usd(PLAIN | {"iterations": []}, "claude-opus-5-5") == 0.014
    assert cost_usd(PLAIN | {"iterations": None}, "claude-opus-5-5") == 0.014


def test_a_refusal_with_empty_content_is_free_and_one_with_content_is_not():
    message = {"model": "claude-opus-5-5", "stop_reason": "refusal", "content": [], "usage": PLAIN}
    assert message_cost_usd(message, "claude-opus-5-5") == 0
    spoken = message | {"content": [{"type": "text", "text": "I"}]}
    assert message_cost_usd(spoken, "claude-opus-5-5") == 0.014


def test_the_last_of_a_chain_that_declines_at_once_is_free_whatever_the_first_had_written():
    declined = {"model": "claude-opus-5-5", "input_tokens": 1000, "output_tokens": 0}
    written = {"model": "claude-fable-5-2", "input_tokens": 1000, "output_tokens": 100}
    message = {
        "model": "claude-opus-5-5",
        "stop_reason": "refusal",
        "content": [{"type": "text", "text": "I"}, {"type": "fallback"}],
        "usage": declined | {"iterations": [written, declined]},
    }
    assert message_cost_usd(message, "claude-fable-5-2") == 0.012
    assert [one["cost_usd"] for one in iteration_costs(message, "claude-fable-5-2")] == [0.012, 0.0]


def test_the_last_of_a_chain_that_declines_after_it_wrote_is_billed():
    written = {"input_tokens": 1000, "output_tokens": 100}
    entries = [written | {"model": "claude-fable-5-2"}, written | {"model": "claude-opus-5-5"}]
    content = [{"type": "text", "text": "I"}, {"type": "fallback"}, {"type": "text", "text": "We"}]
    message = {"stop_reason": "refusal", "content": content, "usage": written | {"iterations": entries}}
    assert message_cost_usd(message, "claude-fable-5-2") == pytest.approx(0.018)


def test_a_reply_that_names_no_model_is_billed_at_the_one_asked():
    assert message_cost_usd({"usage": PLAIN}, "claude-opus-5-5") == 0.014
    assert message_cost_usd({"usage": PLAIN, "model": "claude-opus-4-8"}, "claude-opus-5-5") == 0.0175


def test_what_declined_at_once_is_free_whatever_its_price():
    declined = {"model": "claude-opus-99", "input_tokens": 1000, "output_tokens": 0}
    usage = PLAIN | {"iterations": [declined, {"model": "claude-opus-5-5", **PLAIN}]}
    assert cost_usd(usage, "claude-opus-99") == 0.014
    assert cache_saving_usd(usage, "claude-opus-99") == 0
    assert cost_usd(usage | {"iterations": [declined | {"output_tokens": 1}, PLAIN]}, "claude-opus-99") is None


def test_a_warm_up_without_output_is_billed():
    message = {
        "model": "claude-opus-5-5",
        "stop_reason": "max_tokens",
        "content": [],
        "usage": PLAIN | {"output_tokens": 0},
    }
    assert message_cost_usd(message, "claude-opus-5-5") == 0.004


def test_cache_writes_without_a_breakdown_are_five_minute_writes():
    told = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 1000, "cache_creation": None}
    assert cost_usd(told, "claude-opus-5-5") == 0.005


def test_the_worst_case_bounds_every_usage_of_that_size():
    worst = worst_case_usd("claude-opus-5-5", 1000, 500)
    for kind in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"):
        told = {"input_tokens": 0, "output_tokens": 500, "cache_creation": {kind: 1000}}
        assert cost_usd(told, "claude-opus-5-5") <= worst
    assert cost_usd(PLAIN, "claude-opus-5-5") <= worst
    assert worst == pytest.approx((1000 * 8 + 500 * 20) / 1e6)


def test_the_worst_case_takes_the_dearer_tier_when_the_body_can_reach_it():
    assert worst_case_usd("claude-haiku-5-5", 100_001, 0) > 4.9 * worst_case_usd("claude-haiku-5-5", 100_000, 0)


def test_reading_a_cache_saves_and_only_writing_it_costs():
    read = {"input_tokens": 0, "output_tokens": 5, "cache_read_input_tokens": 1_000_000}
    assert cache_saving_usd(read, "claude-opus-5-5") == pytest.approx(3.8)
    written = {"input_tokens": 0, "output_tokens": 5, "cache_creation_input_tokens": 1_000_000}
    assert cache_saving_usd(written, "claude-opus-5-5") == pytest.approx(-1)


def test_tokens_read_and_written_have_a_price_of_their_own():
    assert reading_usd("claude-opus-5-5", 1_000_000) == pytest.approx(0.2)
    assert writing_usd("claude-opus-5-5", 1_000_000) == 5
    assert writing_usd("claude-opus-5-5", 1_000_000, "1h") == 8


def test_forms_of_other_providers_have_prices_of_their_own():
    assert price_of("anthropic.claude-haiku-4-5-20251001-v1:0").base.input > price_of("claude-haiku-4-5").base.input
    assert price_of("claude-opus-5@20260724").base.input == price_of("claude-opus-5").base.input


def test_a_price_tier_goes_by_each_iteration_s_own_prompt():
    entry = {"type": "message", "model": "claude-haiku-5-5", "input_tokens": 60_000, "output_tokens": 10}
    usage = {"input_tokens": 120_000, "output_tokens": 20, "iterations": [entry, entry]}
    assert cost_usd(usage, "claude-haiku-5-5") == pytest.approx(2 * (60_000 * 0.10 + 10 * 0.50) / 1e6)


def test_multipliers_count_for_every_iteration():
    entry = {"type": "message", "input_tokens": 1000, "output_tokens": 500}
    usage = {"input_tokens": 1000, "output_tokens": 500, "iterations": [entry, entry], "speed": "fast"}
    assert cost_usd(usage, "claude-opus-5-5") == pytest.approx(2 * 2 * 0.014)


def test_a_part_that_was_free_saved_nothing():
    declined = {"type": "message", "model": "claude-fable-5-2", "cache_read_input_tokens": 1000, "output_tokens": 0}
    served = {"type": "fallback_message", "model": "claude-opus-5-5", "cache_read_input_tokens": 1_000_000}
    usage = {"input_tokens": 0, "output_tokens": 5, "iterations": [declined, served | {"output_tokens": 5}]}
    assert cache_saving_usd(usage, "claude-opus-5-5") == pytest.approx(3.8)
