"""Sums of usage: by kind and model, iterations instead of the top level, and nonsense from a server counts nothing."""

from hypothesis import given
from hypothesis import strategies as st

from runner.models.usage import Tokens, UsageTotals, usage_parts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["input_tokens", "output_tokens", "cache_creation", "cache_read_input_tokens", "output_tokens_details", "model"]
)


def test_sums_are_kept_by_model():
    totals = UsageTotals()
    totals.add({"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}}, "a")
    totals.add({"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 5}, "a")
    totals.add({"input_tokens": 100, "output_tokens": 200}, "b")
    assert totals.by_model["a"] == Tokens(input=11, output=22, thinking=1, cache_read=5)
    assert totals.total == Tokens(input=111, output=222, thinking=1, cache_read=5)
    assert totals.total.prompt == 116


def test_iterations_replace_the_top_level():
    usage = {
        "input_tokens": 7,
        "output_tokens": 7,
        "iterations": [{"input_tokens": 1, "output_tokens": 2}, {"input_tokens": 3, "output_tokens": 4, "model": "b"}],
        "server_tool_use": {"web_search_requests": 2},
    }
    assert list(usage_parts(usage, "a")) == [
        ("a", Tokens(input=1, output=2)),
        ("b", Tokens(input=3, output=4, web_searches=2)),
    ]


@given(st.dictionaries(FIELDS, JSON))
def test_a_hostile_usage_never_raises_and_never_counts_below_zero(usage):
    usage.pop("model", None)
    for _, tokens in usage_parts(usage, "a"):
        assert min(tokens.to_json().values()) >= 0
