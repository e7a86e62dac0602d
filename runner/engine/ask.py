"""Free questions, a few at a time, each tried again like a request. No lanes, no journal: nothing here is paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TypeVar

from runner.engine.clock import Clock
from runner.engine.retry import next_wait
from runner.records import Failure, RetryPolicy

Answer = TypeVar("Answer")


async def ask_all(
    questions: Sequence[Callable[[], Awaitable[Answer | Failure]]],
    *,
    concurrency: int,
    retry: RetryPolicy,
    clock: Clock,
    rng: Random,
) -> list[Answer | Failure]:
    """The answers in the order of the questions; a Failure for one that has none after all retries."""
    slots = asyncio.Semaphore(concurrency)

    async def ask(question: Callable[[], Awaitable[Answer | Failure]]) -> Answer | Failure:
        attempt = 1
        while True:
            async with slots:
                answer = await question()
            wait = next_wait(answer, attempt=attempt, policy=retry, rng=rng) if isinstance(answer, Failure) else None
            if wait is None:
                return answer
            await clock.sleep(wait)
            attempt += 1

    return list(await asyncio.gather(*map(ask, questions)))
