"""When a failed attempt is made again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.retry import asks_too_much, backoff, may_retry, next_wait
from runner.records import FAILURE_SCOPES, Failure, RetryPolicy

seconds = st.floats(0, 10_000)
policies = st.builds(RetryPolicy, max=st.integers(0, 100), base=seconds, cap=seconds, max_wait=seconds)
seeds = st.integers().map(random.Random)


@given(attempt=st.integers(1, 10**6), policy=policies, rng=seeds)
def test_a_backoff_lies_between_half_of_its_length_and_the_whole(attempt, policy, rng):
    longest = min(policy.cap, policy.max_wait, policy.base * 2.0 ** min(attempt - 1, 60))
    assert longest / 2 <= backoff(attempt, policy, rng) <= longest


@given(attempt=st.integers(1, 200), policy=policies, rng=seeds, asked=st.none() | st.floats(0, 20_000))
def test_a_wait_honours_the_server_the_cap_and_the_number_of_retries(attempt, policy, rng, asked):
    failure = Failure("overloaded", "x", retry_after=asked)
    wait = next_wait(failure, attempt=attempt, policy=policy, rng=rng)
    if attempt > policy.max or (asked is not None and asked > policy.max_wait):
        assert wait is None
    else:
        assert (asked or 0) <= wait <= (asked or 0) + min(policy.cap, policy.max_wait)


def test_waits_grow_and_differ():
    rng = random.Random(1)
    waits = [backoff(attempt, RetryPolicy(base=1, cap=60), rng) for attempt in range(1, 10)]
    assert [0.5 <= waits[0] <= 1, 8 <= waits[4] <= 16, 30 <= waits[8] <= 60] == [True] * 3
    assert len(set(waits)) == len(waits)


@pytest.mark.parametrize("kind", FAILURE_SCOPES)
def test_only_what_may_pass_is_tried_again(kind):
    assert may_retry(Failure(kind, "x")) is (FAILURE_SCOPES[kind] == "attempt")


@pytest.mark.parametrize("kind", FAILURE_SCOPES)
def test_the_server_has_the_last_word_but_not_on_the_account(kind):
    says_yes = Failure(kind, "x", headers={"x-should-retry": "true"})
    says_no = Failure(kind, "x", headers={"x-should-retry": "false"})
    assert may_retry(says_yes) is (FAILURE_SCOPES[kind] in ("attempt", "request"))
    assert may_retry(says_no) is False


@pytest.mark.parametrize(("asked", "too_much"), [(None, False), (600.0, False), (600.1, True)])
def test_a_wait_beyond_the_limit_is_too_much(asked, too_much):
    assert asks_too_much(Failure("overloaded", "x", retry_after=asked), RetryPolicy(max_wait=600)) is too_much


def test_a_wait_asked_for_what_is_not_tried_again_is_nothing():
    assert not asks_too_much(Failure("invalid_request", "x", retry_after=9999.0), RetryPolicy())
