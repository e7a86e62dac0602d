"""Whether and when a failed attempt is made again. Pure functions: no clock, no sleeping.

Source of the header `x-should-retry`: SDK 2.12.0, `_should_retry`; of the backoff's shape:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (equal jitter).
"""

from __future__ import annotations

from random import Random

from runner.records import Failure, RetryPolicy

SHOULD_RETRY = "x-should-retry"
PATIENT = 4


def may_retry(failure: Failure) -> bool:
    """Whether the same request could fare better: the server's own word, else the failure's scope.

    What stands against the account or a model is never tried again, whatever the header says.
    """
    if failure.scope not in ("attempt", "request"):
        return False
    said = failure.headers.get(SHOULD_RETRY)
    return said == "true" if said in ("true", "false") else failure.retryable


def next_wait(failure: Failure, *, attempt: int, policy: RetryPolicy, rng: Random) -> float | None:
    """Seconds to wait after the failed `attempt` (from 1), or None when that was the last one.

    What the server asks for is waited in full, plus a share of the backoff so that not everyone comes back at once.
    """
    if attempt > policy.max or not may_retry(failure) or asks_too_much(failure, policy):
        return None
    pause = backoff(attempt, policy, rng)
    return pause if failure.retry_after is None else failure.retry_after + pause


def asks_too_much(failure: Failure, policy: RetryPolicy) -> bool:
    """Whether the server wants a longer wait than the job is ready for: better run again later."""
    return may_retry(failure) and failure.retry_after is not None and failure.retry_after > policy.max_wait


def backoff(attempt: int, policy: RetryPolicy, rng: Random) -> float:
    """Between half of and the whole of min(cap, base·2^(attempt-1)), never over `max_wait`; seconds."""
    longest = longest_backoff(attempt, policy)
    return longest / 2 + rng.uniform(0, longest / 2)


def longest_backoff(attempt: int, policy: RetryPolicy) -> float:
    return min(policy.cap, policy.max_wait, policy.base * 2.0 ** min(attempt - 1, 60))


def patience(policy: RetryPolicy) -> float:
    """Seconds in which a model may answer nothing but 429s: four times what the backoffs before all retries take."""
    waits = sum(longest_backoff(attempt, policy) for attempt in range(1, policy.max + 1))
    return min(policy.max_wait, PATIENT * waits)
