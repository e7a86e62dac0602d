"""One lane a model: closed once nothing can be answered on it, paused and slowed down after a 429.

Limits are kept per model (https://platform.claude.com/docs/en/api/rate-limits). The pace is the simple version: after
a 429 the lane's requests start one after the other, further apart with each new 429 and closer with each reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from runner.records import Failure

REPEATS_TO_CLOSE = 20
LOST_TO_STOP = 20
SLOWER, FASTER = 1.5, 0.95
SMALLEST_GAP, LARGEST_FIRST_GAP, LARGEST_GAP = 0.001, 1.0, 10.0


@dataclass
class Lane:
    """What is known of one model. closed: why no more is sent to it. gap: seconds between starts, 0 when unpaced.

    slowed_at: when the pace was last lowered; starts that were told before do not hold any more.
    lost: requests in a row that used up their retries without one reply in between.
    """

    closed: Failure | None = None
    paused_until: float = 0.0
    gap: float = 0.0
    next_start: float = 0.0
    slowed_at: float = float("-inf")
    repeated: Failure | None = None
    repeats: int = 0
    lost: int = 0

    def start_at(self, now: float) -> float:
        """When the next request may start, from `now` on; taken as soon as it is told."""
        start = max(now, self.paused_until, self.next_start)
        if self.gap:
            self.next_start = start + self.gap
        return start

    def answered(self) -> None:
        """A reply came: whatever was wrong is not wrong with every request, and the pace may rise."""
        self.repeated, self.repeats, self.lost = None, 0, 0
        self.gap = self.gap * FASTER if self.gap * FASTER > SMALLEST_GAP else 0.0

    def limited(self, failure: Failure, *, began: float, now: float, gap: float) -> None:
        """A 429 for a request that began at `began`: wait as long as it says.

        What was in flight when the lane last slowed down tells nothing about the new pace, so it slows down once for
        all of them. gap: seconds between starts to begin with, when the lane was not paced yet.
        """
        self.paused_until = max(self.paused_until, now + (failure.retry_after or self.gap))
        if began >= self.slowed_at:
            self.gap = min(LARGEST_GAP, self.gap * SLOWER) if self.gap else min(LARGEST_FIRST_GAP, gap)
            self.slowed_at = now
            self.next_start = self.paused_until

    def rejected(self, failure: Failure) -> None:
        """A request was refused as invalid. After twenty in a row for the same reason, so would be all the others."""
        same = self.repeated is not None and reason(self.repeated) == reason(failure)
        self.repeats = self.repeats + 1 if same else 1
        self.repeated = failure
        if self.repeats >= REPEATS_TO_CLOSE and self.closed is None:
            what = f"{self.repeats} requests in a row were refused: {failure.message}"
            self.closed = Failure("repeated_invalid_request", what, failure.http_status, failure.error_type)

    def lose(self) -> bool:
        """A request used up its retries. True once so many did in a row that the API must be called unavailable."""
        self.lost += 1
        return self.lost >= LOST_TO_STOP

    def close(self, failure: Failure) -> None:
        if self.closed is None:
            self.closed = failure


def reason(failure: Failure) -> tuple[str, int | None, str]:
    return failure.kind, failure.http_status, failure.message


def for_the_others(failure: Failure) -> Failure:
    """Why requests of a closed lane fail unsent: the same reason, without what belongs to one exchange."""
    return replace(failure, request_id=None, retry_after=None, maybe_billed=False, headers={})


@dataclass
class Lanes:
    by_model: dict[str, Lane] = field(default_factory=dict)

    def of(self, model: str) -> Lane:
        return self.by_model.setdefault(model, Lane())

    def closed(self) -> dict[str, Failure]:
        """model → why it was given up."""
        return {model: lane.closed for model, lane in self.by_model.items() if lane.closed}
