"""Reply headers: which are kept, and how long to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.claude.headers import kept_headers, retry_after_seconds

NOON = 1_795_348_800.0  # Sun, 22 Nov 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30),
        ({"retry-after": " 1.25 "}, 1.25),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:42 GMT"}, 42),
        ({"retry-after": "Sun, 22 Nov 2026 11:59:00 GMT"}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 13:00:42 GMT", "date": "Sun, 22 Nov 2026 13:00:00 GMT"}, 42),
        ({"retry-after": "Sun, 99 Nov 99999999 12:00:42 GMT"}, None),
    ],
)
def test_how_long_to_wait(headers, seconds):
    assert retry_after_seconds(headers, now=NOON) == seconds


@given(st.text(), st.text())
def test_hostile_headers_never_raise_and_never_ask_for_the_past(written, date):
    seconds = retry_after_seconds({"retry-after": written, "date": date}, now=NOON)
    assert seconds is None or seconds >= 0


def test_only_what_matters_is_kept_in_lower_case_and_short():
    headers = {"Request-Id": "r", "Anthropic-RateLimit-Tokens-Reset": "t" * 999, "anthropic-organization-id": "o",
               "Authorization": "a", "Set-Cookie": "s", "x-promptrun-simulated": "1"}  # fmt: skip
    assert kept_headers(headers) == {
        "request-id": "r", "anthropic-ratelimit-tokens-reset": "t" * 200, "x-promptrun-simulated": "1"}  # fmt: skip
