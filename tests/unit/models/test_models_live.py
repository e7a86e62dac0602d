"""Models as the API describes them: any part may be missing or null, and then nothing is known of it."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from runner.models.live import LiveModel, live_model

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["lifecycle", "retires_at", "max_tokens", "capabilities", "allowed_fallback_models"])


def test_a_whole_answer():
    told = {
        "lifecycle": "deprecated",
        "retires_at": "2026-11-30T00:00:00Z",
        "max_tokens": 64_000,
        "capabilities": {
            "image_input": {"supported": True},
            "structured_outputs": {"supported": False},
            "effort": {"supported": True, "low": {"supported": True}, "max": {"supported": False}, "xhigh": None},
            "thinking": {"supported": True, "types": {"enabled": {"supported": True}}},
        },
        "allowed_fallback_models": ["claude-opus-4-8"],
    }
    model = live_model("m", told)
    assert (model.lifecycle, model.retires, model.max_tokens) == ("deprecated", date(2026, 11, 30), 64_000)
    assert model.supports["image_input"] is True
    assert model.supports["structured_outputs"] is False
    assert model.effort == {"low": True, "max": False, "xhigh": None}
    assert model.thinking == {"enabled": True}
    assert model.fallbacks == ("claude-opus-4-8",)


def test_nothing_is_known_of_what_is_missing_or_null():
    assert (
        live_model("m", {})
        == live_model("m", dict.fromkeys(("lifecycle", "retires_at", "capabilities")))
        == LiveModel("m")
    )
    assert live_model("m", None).found is False


@given(st.dictionaries(FIELDS, JSON))
def test_nonsense_never_raises(told):
    assert live_model("m", told).found
