"""Several jobs of one command: each has its own end, and what was sent is waited for whatever happens to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from runner.engine.stop import Stop
from runner.errors import OutputError, PromptrunError, TryLater
from runner.side_by_side import ANOTHER_JOB, AT_ONCE, side_by_side

Job = Callable[[], Awaitable[str]]


def ends(jobs: list[Job], stop: Stop) -> list[str | PromptrunError]:
    def ends_all(end: str | PromptrunError) -> bool:
        return end == "refused" or isinstance(end, OutputError)

    async def collect() -> list[str | PromptrunError]:
        return [end async for end in side_by_side(jobs, ends_all=ends_all, stop=stop)]

    return asyncio.run(collect())


def soon(end: str | Exception) -> Job:
    async def job() -> str:
        await asyncio.sleep(0)  # the others have begun
        if isinstance(end, Exception):
            raise end
        return end

    return job


def once_stopped(stop: Stop, log: list[str | None]) -> Job:
    """Sends until it is stopped; then what is in flight still takes its time."""

    async def job() -> str:
        stopped = asyncio.Event()
        with stop.telling(stopped.set):
            await stopped.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        log.append(stop.reason)
        return "collected"

    return job


@pytest.mark.parametrize("end", ["left", TryLater("somebody runs it")])
def test_one_that_cannot_go_on_stops_no_other(end: str | Exception) -> None:
    stop = Stop()
    assert ends([soon(end), soon("done")], stop) == [end, "done"]
    assert stop.reason is None


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("end", ["refused", OutputError("the disk is full")])
def test_what_ends_all_lets_the_others_collect_what_they_sent(end: str | Exception, first: bool) -> None:
    stop, log = Stop(), list[str | None]()
    jobs = [soon(end), once_stopped(stop, log)]
    got = ends(jobs if first else jobs[::-1], stop)
    assert got == ([end, "collected"] if first else ["collected", end])
    assert log == [ANOTHER_JOB]


def test_a_bug_in_one_is_raised_after_the_others_have_collected_what_they_sent() -> None:
    stop, log = Stop(), list[str | None]()
    with pytest.raises(ZeroDivisionError):
        ends([soon(ZeroDivisionError()), once_stopped(stop, log)], stop)
    assert log == [ANOTHER_JOB]


def test_none_begins_any_more_when_all_are_ended() -> None:
    waiting: list[Job] = [soon("done")] * 3
    assert ends([soon("refused")] * AT_ONCE + waiting, Stop()) == ["refused"] * AT_ONCE
