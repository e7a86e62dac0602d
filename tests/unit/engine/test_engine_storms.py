"""Nothing but 429s: waited for, however few retries there are, and ended when it lasts too long. In virtual time."""

from __future__ import annotations

import pytest
from engine_fakes import FakeApi, failure, play, reply, requests
from virtual_time import LoopClock

from runner.records import Outcome, Reply, Request, RetryPolicy

LIMIT = {"anthropic-ratelimit-requests-limit": "4000", "anthropic-ratelimit-requests-remaining": "3000"}


@pytest.mark.parametrize("retry_after", [None, 0.0, 1.0, 20.0])
@pytest.mark.parametrize("headers", [{}, LIMIT])
def test_a_storm_of_minutes_is_waited_for_and_loses_no_row(retry_after, headers):
    """As long as most storms last. The API is asked more and more rarely."""
    refused = failure("rate_limited", http_status=429, retry_after=retry_after, headers=headers)

    def storm(asked: Request) -> Outcome:
        return refused if 0.3 < LoopClock().now() < 120 else Reply(reply().message, headers=headers)

    played = play(requests(60), FakeApi(otherwise=storm, seconds=0.1), concurrency=14)
    assert played.statuses == dict.fromkeys(range(60), "ok")
    assert played.duration < 190
    assert sum(0.3 < at < 60 for _, at in played.api.sent) < 130
    assert sum(60 < at < 120 for _, at in played.api.sent) < 40


@pytest.mark.parametrize(
    ("retry", "seconds"), [(RetryPolicy(), 124), (RetryPolicy(max=3, cap=2), 20), (RetryPolicy(max_wait=30), 30)]
)
def test_a_storm_without_an_end_leaves_the_model_once_retries_would_have_taken_as_long(retry, seconds):
    """However many are on their way at that moment: only the one that finds it out has failed."""
    refused = failure("rate_limited", http_status=429, retry_after=1.0, headers=LIMIT)
    played = play(requests(400), FakeApi(otherwise=lambda asked: refused, seconds=1.0), retry=retry)
    assert played.ended.gave_up == refused
    assert seconds <= played.duration < seconds + 10
    assert played.statuses == {next(iter(played.statuses)): "failed"}
    assert played.ended.abandoned + played.ended.unsent + 1 <= 400


def test_pauses_that_are_asked_for_are_waited_for_as_often_as_there_are_retries():
    """Each is shorter than `max_wait`; together they are much longer than the job has patience otherwise."""
    refused = failure("rate_limited", http_status=429, retry_after=200.0)
    played = play(requests(1), FakeApi({0: [refused] * 5}))
    assert played.statuses == {0: "ok"}
    assert played.duration > 1000


def test_a_request_that_is_refused_for_ever_ends_once_nothing_else_is_answered():
    refused = failure("rate_limited", http_status=429, retry_after=1.0)
    played = play(requests(200), FakeApi({0: [refused] * 10_000}), retry=RetryPolicy(cap=2))
    assert played.statuses == {0: "failed", **dict.fromkeys(range(1, 200), "ok")}
