from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.records import RetryPolicy, Timeout
from runner.spec.durations import parse_duration
from runner.spec.settings import retry_over, run_settings, timeout_over


@pytest.mark.parametrize(
    ("written", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400), (90, 90), (0.5, 0.5), ("0s", 0)]
)
def test_durations(written: Any, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["", "10", "1.5m", "-1s", "10 m", "1w", -1, True, None, float("inf"), float("nan")])
def test_what_is_no_duration(written: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0


def test_a_total_bounds_what_happens_within_it() -> None:
    assert timeout_over(Timeout(), "3s") == Timeout(total=3, connect=3, read=3, write=3)
    assert timeout_over(Timeout(), {"total": "1h", "read": "5m"}) == Timeout(
        total=3600, connect=5, read=300, write=3600
    )
    assert timeout_over(Timeout(), {"connect": 1}) == Timeout(connect=1)


def test_settings_fill_the_rest_with_the_defaults() -> None:
    run = run_settings({"concurrency": 3, "retry": {"max": 0, "max_wait": "1h"}})
    assert (run.concurrency, run.stream, run.request_timeout) == (3, "auto", Timeout())
    assert run.retry == RetryPolicy(max=0, max_wait=3600)
    assert retry_over(run.retry, {"base": 2}) == RetryPolicy(max=0, base=2, max_wait=3600)
