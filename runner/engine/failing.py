"""What a failure leads to: its request is tried again or given up, its model is left or closed, or the run ends.

As its kind says (`records.FAILURE_SCOPES`), and the server's own word (`retry`). Never sends, and settles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from runner.engine.clock import Clock
from runner.engine.dispatch import Dispatch
from runner.engine.lanes import Lane
from runner.engine.pending import Pending
from runner.engine.results import failed
from runner.engine.retry import asks_too_much, backoff, may_retry, next_wait
from runner.engine.sink import Sink, writing
from runner.records import Attempt, AttemptEnded, Event, Failure, Result, RetryPolicy


@dataclass(eq=False)
class Failing:
    """finish: writes a result down. failure: what ends the run."""

    dispatch: Dispatch
    sink: Sink
    retry: RetryPolicy
    clock: Clock
    rng: Random
    observe: Callable[[Event], None]
    finish: Callable[[Result], None]
    failure: Failure | None = None

    def failed(self, pending: Pending, lane: Lane, attempt: Attempt, failure: Failure) -> None:
        """An attempt of a request failed, and everything it held is settled."""
        request, now = pending.request, self.clock.now()
        with writing():
            self.sink.attempt_failed(request, attempt, len(pending.calls))
        policy = request.retry or self.retry
        too_late = self._beyond_deadline(lane, failure, now)
        wait = failure.retry_after if too_late else self._wait(pending, lane, failure, policy)
        if wait is None:
            self._give_up(lane, failure, policy)
        again = wait is not None and not lane.left and not self.dispatch.ended
        self.observe(AttemptEnded(request, attempt, waiting=wait if again else None, call=len(pending.calls)))
        if wait is not None or failure.ends_run:
            self.dispatch.put_back(pending, due=now + (wait or 0.0))
        else:
            self.finish(given_up(pending, failure))

    def warm_up_failed(self, lane: Lane, failure: Failure) -> float:
        """A warm-up failed; nothing depends on it but what its failure says. Seconds until another is welcome."""
        self._learn(lane, failure)
        if not self._beyond_deadline(lane, failure, self.clock.now()) and asks_too_much(failure, self.retry):
            self.dispatch.leave(lane, failure)
        return failure.retry_after or 0.0

    def _wait(self, pending: Pending, lane: Lane, failure: Failure, policy: RetryPolicy) -> float | None:
        """A 429 took nothing, and uses up no retry: it is waited for until its model answered nothing else too long.

        One that says how long waits exactly so long: the pace sees to it that not everybody comes back at once. Where
        that did not help, the request comes back more and more rarely: it may be the only one that is refused.
        """
        wait = next_wait(failure, attempt=max(1, tried(pending.attempts)), policy=policy, rng=self.rng)
        if wait is None or failure.kind != "rate_limited":
            return wait
        if not lane.left and lane.pace.brake.worn_out(policy, self.clock.now()):
            return None
        if lane.pace.brake.refused_again:
            return (failure.retry_after or 0.0) + backoff(len(pending.attempts), policy, self.rng)
        return wait if failure.retry_after is None else failure.retry_after

    def _beyond_deadline(self, lane: Lane, failure: Failure, now: float) -> bool:
        """Whether the server asks for more time than there is: then nothing more is sent to the model, and it is the
        deadline that ends the run."""
        asked, deadline = failure.retry_after, self.dispatch.deadline
        if asked is None or not may_retry(failure) or not deadline.comes_before(now + asked):
            return False
        self.dispatch.leave(lane, deadline.limit(waits_for=asked))
        return True

    def _give_up(self, lane: Lane, failure: Failure, policy: RetryPolicy) -> None:
        """A request failed for good. Its model is left where it asks for a longer wait than the job allows (one beyond
        a row's own limit ends only that row) or answers nothing but 429s, or where one request after the other used
        up its retries."""
        self._learn(lane, failure)
        if failure.scope == "request":
            lane.rejected(failure)
        too_long = asks_too_much(failure, policy) and asks_too_much(failure, self.retry)
        worn_out = self.retry.max > 0 and lane.pace.brake.worn_out(self.retry, self.clock.now())
        if too_long or worn_out or (failure.retryable and lane.lose()):
            self.dispatch.leave(lane, failure)

    def _learn(self, lane: Lane, failure: Failure) -> None:
        """What a failure says about more than its request."""
        if failure.ends_lane:
            lane.close(failure)
        elif failure.ends_run:
            self.failure = self.failure or failure
            self.dispatch.end()


def tried(attempts: Sequence[Attempt]) -> int:
    """How many came to more than a 429."""
    return sum(attempt.failure is not None and attempt.failure.kind != "rate_limited" for attempt in attempts)


def given_up(pending: Pending, failure: Failure) -> Result:
    """The result of a request whose call under way gets no answer any more."""
    return failed(pending.request, failure, pending.attempts, calls=pending.calls, asked=pending.asked)
