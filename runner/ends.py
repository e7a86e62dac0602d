"""How a sitting ended: in a word for run.json, and as the exit code that tells shells and schedulers who acts next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.errors import AccountError, LimitReached, TryLater
from runner.side_by_side import ANOTHER_JOB
from runner.spec.job import Checks

if TYPE_CHECKING:
    from runner.engine.live import Ended
    from runner.models.summary import Summary


def checked(summary: Summary, checks: Checks) -> Summary:
    """The summary with how the checks that the job has written came out."""
    from runner.models.summary import Check

    if checks.written is None:
        return summary
    share = 100 * summary.good / summary.total if summary.total else 100.0
    passed = checks.passed(summary.good, summary.total)
    return replace(summary, checks=(Check("ok", str(checks.written[0]["ok"]), round(share, 6), passed),))


def end_of(ended: Ended) -> str:
    """Why a sitting ended, in one word."""
    if ended.stopped:
        return ended.stopped
    if ended.cause:
        return ended.cause.kind
    return ended.limit.kind if ended.limit else "complete"


def exit_code(summary: Summary, ended: Ended) -> int:
    """The first that applies of 143, 130, 4, 75, 3, 1 and 0 (docs/exit-codes.md).

    After a limit, what is left waits for the user, not for better times.
    """
    if ended.stopped == ANOTHER_JOB:
        return TryLater.exit_code
    if ended.stopped:
        return 143 if ended.stopped == "terminated" else 130
    if ended.failure:
        return AccountError.exit_code
    only_transient = summary.total - summary.good == summary.transient + summary.left
    if ended.gave_up or (only_transient and not summary.passed and not ended.limit):
        return TryLater.exit_code
    if ended.limit:
        return LimitReached.exit_code
    return 0 if summary.passed else 1


def first_that_applies(codes: Sequence[int]) -> int:
    """The exit code of several jobs. 2 is of inputs that changed while they were sent."""
    return next((code for code in (70, 143, 130, 4, 74, 2, 75, 3, 1) if code in codes), 0)
