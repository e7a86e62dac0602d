"""What each model that worked on a reply cost; together they are the reply's cost."""

import pytest

from runner.models.cost import iteration_costs, message_cost_usd

COUNTS = {"input_tokens": 1000, "output_tokens": 500}


def reply(*entries, **changes):
    usage = COUNTS | {"iterations": list(entries)}
    return {
        "model": "claude-opus-4-8",
        "stop_reason": "end_turn",
        "content": [{"type": "text"}],
        "usage": usage,
    } | changes


def entry(type_="message", **changes):
    return {"type": type_, **COUNTS} | changes


def test_each_attempt_is_priced_at_its_model_and_they_sum_up():
    message = reply(
        entry(model="claude-fable-5-2", output_tokens=0),
        entry(model="claude-opus-5-5", output_tokens=100),
        entry("fallback_message", model="claude-opus-4-8"),
    )
    costs = iteration_costs(message, "claude-fable-5-2")
    assert [(one["type"], one["model"]) for one in costs] == [
        ("message", "claude-fable-5-2"),
        ("message", "claude-opus-5-5"),
        ("fallback_message", "claude-opus-4-8"),
    ]
    assert [one["cost_usd"] for one in costs] == [0, 0.006, 0.0175]
    assert sum(one["cost_usd"] for one in costs) == pytest.approx(message_cost_usd(message, "claude-fable-5-2"))


def test_a_reply_of_one_model_has_none():
    assert iteration_costs(reply(), "claude-opus-4-8") == []
    assert iteration_costs({"model": "claude-opus-4-8", "usage": None}, "claude-opus-4-8") == []
    assert iteration_costs({"model": "claude-opus-4-8", "usage": COUNTS}, "claude-opus-4-8") == []


def test_an_entry_without_a_model_is_the_replys_and_one_without_a_price_is_unknown():
    costs = iteration_costs(reply(entry(), entry(model="claude-unheard-of")), "claude-fable-5-2")
    assert costs == [
        {"type": "message", "model": "claude-opus-4-8", "cost_usd": 0.0175},
        {"type": "message", "model": "claude-unheard-of", "cost_usd": None},
    ]


def test_a_chain_that_refuses_before_it_writes_is_free():
    """The marks between the models are all that its content holds."""
    refused = reply(
        entry(model="claude-fable-5-2", output_tokens=0),
        entry("fallback_message", output_tokens=0),
        stop_reason="refusal",
        content=[{"type": "fallback"}],
    )
    assert [one["cost_usd"] for one in iteration_costs(refused, "claude-fable-5-2")] == [0, 0]
    assert message_cost_usd(refused, "claude-fable-5-2") == 0
