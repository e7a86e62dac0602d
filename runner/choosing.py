"""Which requests of a plan a sitting sends: those without an answer, and of identical ones the first.

An answered request is never sent again, everything else is. What is said of it counts the same requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from runner.planning import PlannedJob, a_few_at_once
from runner.records import Request

if TYPE_CHECKING:
    from runner.retrying import Retry
    from runner.store import RunWriter


def taken_over(one: PlannedJob, run: RunWriter, retry: Retry | None) -> bytearray | None:
    """Of a retry, 1 for each request to send, once the results that stay are written down; else None: all."""
    if retry is None:
        return None
    from runner.retrying import take_over

    return take_over(one, run, retry)


def skipping(one: PlannedJob, run: RunWriter, sends: bytearray | None = None) -> Callable[[int], bool]:
    """Which requests not to send: those with an answer, and of identical ones all but the first. sends: of a retry."""

    def skip(n: int) -> bool:
        return run.answered(n) or (sends is not None and not sends[n]) or one.ledger.first_of(n) is not None

    return skip


def waiting(one: PlannedJob, skip: Callable[[int], bool]) -> Iterator[Request]:
    """The requests to send now. Where there are none, the inputs are not read for it."""
    return iter(()) if nothing_waits(one, skip) else a_few_at_once(one.requests(skip))


def nothing_waits(one: PlannedJob, skip: Callable[[int], bool]) -> bool:
    """Whether every request is skipped; a row that cannot be sent is not, as long as it has no result."""
    return all(map(skip, range(one.plan.requests)))


class ToSend(NamedTuple):
    """How many requests are left to send; failed: those of them that have failed before."""

    requests: int
    failed: int


def to_send(one: PlannedJob, run: RunWriter, skip: Callable[[int], bool]) -> ToSend:
    """What is not skipped, but for rows that cannot be sent at all."""
    requests = failed = 0
    for n, key in enumerate(one.ledger.keys()):
        if key and not skip(n):
            requests += 1
            failed += run.has_result(n)
    return ToSend(requests, failed)


def answer_identical(one: PlannedJob, run: RunWriter) -> None:
    """Requests equal to an earlier one get its answer, none of them is sent. Read once more, for their own rows."""
    if not one.plan.identical:
        return
    for request in one.requests(lambda n: run.answered(n) or one.ledger.first_of(n) is None):
        if (first := one.ledger.first_of(request.n)) is not None:
            run.write_identical(request, first)
