"""What is known of models: the data file is well formed, and every way of naming a model finds its family."""

from datetime import date

import pytest

from runner.models.rules import family, known_models, rule_for

EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING = {"adaptive", "enabled", "disabled", "between_tools"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5"),
        ("us.anthropic.claude-opus-5-5-v1:0", "claude-opus-5-5"),
        ("anthropic.claude-opus-5", "claude-opus-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-5", "claude-sonnet-5"),
        ("Claude-Opus-5-5", "claude-opus-5-5"),
        ("claude-opus-5-latest", "claude-opus-5"),
    ],
)
def test_dated_ids_and_forms_of_providers_match_their_family(written, expected):
    assert family(written) == expected
    assert rule_for(written).id == expected


@pytest.mark.parametrize("model", ["", "claude", "gpt-5", "claude-opus-5-6", "claude-opus-55", "my-claude-opus-5"])
def test_an_unknown_model_has_no_rules(model):
    assert rule_for(model) is None


def test_every_model_the_sdk_names_has_rules():
    from anthropic.types.model import Model

    named = next(part.__args__ for part in Model.__args__ if hasattr(part, "__args__"))
    assert [model for model in named if rule_for(model) is None] == []


@pytest.mark.parametrize("model", known_models())
def test_an_entry_says_only_what_can_be(model):
    rule = rule_for(model)
    assert set(rule.effort or ()) <= set(EFFORTS)
    assert rule.thinking_accepts | rule.thinking_refuses <= THINKING
    assert not rule.thinking_accepts & rule.thinking_refuses
    assert rule.off_efforts is None or rule.thinking_off in rule.thinking_accepts


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("claude-haiku-4-5", ()),
        ("claude-sonnet-4-5", ()),
        ("claude-opus-4-5", ("low", "medium", "high")),
        ("claude-opus-4-6", ("low", "medium", "high", "max")),
        ("claude-opus-4-7", EFFORTS),
        ("claude-haiku-5-5", EFFORTS),
    ],
)
def test_effort_levels(model, levels):
    assert rule_for(model).effort == levels


def test_thinking_types():
    assert "adaptive" in rule_for("claude-opus-4-5").thinking_refuses
    assert {"adaptive", "enabled"} <= rule_for("claude-opus-4-6").thinking_accepts
    assert {"enabled", "disabled"} <= rule_for("claude-opus-5-5").thinking_refuses
    assert rule_for("claude-opus-5").off_efforts == ("low", "medium", "high")
    assert rule_for("claude-sonnet-5-5").thinking_off == "between_tools"


def test_dates_prefixes_and_the_unknown():
    assert rule_for("claude-sonnet-4-5").retires == date(2026, 11, 30)
    assert rule_for("claude-opus-5").min_cache_prefix == 512
    assert rule_for("claude-haiku-4-5").min_cache_prefix == 4096
    assert rule_for("claude-opus-5-5").min_cache_prefix is None
    assert rule_for("claude-fable-5-2").forced_tools is False
    assert rule_for("claude-opus-4-5").prefill is True
    assert rule_for("claude-opus-4-6").prefill is False
    assert rule_for("claude-sonnet-4-20250514").structured_outputs is False
    assert rule_for("claude-sonnet-4-5").structured_outputs is not False
