"""Why a result is not good, in one word, and that each such word has its advice."""

from __future__ import annotations

from typing import get_args

import pytest

from runner.models.endings import kind_of
from runner.report.advice import BY_STATUS, BY_STOP, FINISHED, NEW_REASON, advice

THOUGHT = {"output_tokens": 100, "output_tokens_details": {"thinking_tokens": 100}}
DOUBLE = {"for": "double", "turn": 0}


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"failure": {"kind": "timeout"}, "stop_reason": "end_turn"}, "timeout"),
        ({"stop_reason": "refusal", "stop_details": {"category": "cyber"}}, "cyber"),
        ({"stop_reason": "refusal", "stop_details": None}, "refusal"),
        ({"stop_reason": "max_tokens", "text": "", "usage": THOUGHT}, "only_thinking"),
        ({"stop_reason": "max_tokens", "text": "half", "usage": THOUGHT}, "max_tokens"),
        ({"stop_reason": "max_tokens", "text": "", "usage": None}, "max_tokens"),
        ({"stop_reason": "max_tokens", "calls": [{"for": "turn", "turn": 0}]}, "max_tokens"),
        ({"stop_reason": "max_tokens", "calls": [{"for": "turn", "turn": 0}, DOUBLE]}, "max_tokens_doubled"),
        ({"stop_reason": "max_tokens", "calls": [DOUBLE, {"for": "turn", "turn": 1}]}, "max_tokens"),
        ({}, ""),
    ],
)
def test_the_cause_of_a_result_that_is_not_good(record, kind):
    assert kind_of(record) == kind


def test_every_stop_reason_has_its_advice():
    from anthropic.types.beta import BetaStopReason

    for reason in set(get_args(BetaStopReason)) - FINISHED - {"tool_use"}:
        assert advice("truncated", reason) == BY_STOP[reason]
    assert advice("tool_use", "tool_use") == BY_STATUS["tool_use"]
    assert advice("invalid", "end_turn") == advice("invalid", "") == BY_STATUS["invalid"]
    assert advice("invalid", "a_reason_of_tomorrow") == NEW_REASON
    assert advice("invalid", kind_of({"status": "invalid", "stop_reason": None})) == NEW_REASON
    assert "effort" in advice("truncated", "only_thinking")
    assert "double" not in advice("truncated", "max_tokens_doubled"), "that was tried already"
