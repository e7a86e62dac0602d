"""The jobs of one command, side by side: they share the account's paces, and their ends come in the order of the specs.

Fair, because at each model they take turns. Nothing is known here of what a job does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from runner.errors import PromptrunError

if TYPE_CHECKING:
    from runner.engine.paces import Paces
    from runner.engine.stop import Stop
    from runner.spec.job import RunSpec

AT_ONCE = 8
ANOTHER_JOB = "another_job"
"""Why a job was stopped when another one of the command could not go on."""

End = TypeVar("End")


@dataclass
class SharedPaces:
    """One `Paces` for each service (`PlanOptions.service`): limits are the account's, not the job's."""

    by_service: dict[str, Paces] = field(default_factory=dict)

    def of(self, service: str, settings: RunSpec, concurrency: int | None) -> Paces:
        """Those of the service, held to what this job's author allows too. concurrency: None to find it out."""
        from runner.engine.ceiling import most_connections
        from runner.engine.paces import Paces

        paces = self.by_service.get(service)
        if paces is None:
            paces = self.by_service[service] = Paces(most_connections(), slow_start=concurrency is None)
        paces.cap(settings.limits)
        return paces


async def side_by_side(
    jobs: Sequence[Callable[[], Awaitable[End | None]]],
    *,
    ends_all: Callable[[End | PromptrunError], bool],
    stop: Stop,
) -> AsyncIterator[End | PromptrunError]:
    """How each job ended, or what kept it from it; nothing of one that never began. Each goes on to its own end, unless
    one ends in a way after which no other can go on (`ends_all`): then they are stopped politely.

    Any other exception of a job stops them too, and is raised after their ends.
    """
    import asyncio  # commands that send nothing import this module too

    slots = asyncio.Semaphore(AT_ONCE)

    async def run(job: Callable[[], Awaitable[End | None]]) -> End | PromptrunError | None:
        async with slots:
            if stop.reason == ANOTHER_JOB:
                return None
            try:
                end: End | PromptrunError | None = await job()
            except PromptrunError as error:
                end = error
            except Exception:
                stop.request(ANOTHER_JOB)
                raise
            if end is not None and ends_all(end):
                stop.request(ANOTHER_JOB)
            return end

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    errors: list[Exception] = []
    try:
        for task in tasks:
            try:
                end = await task
            except Exception as raised:
                errors.append(raised)
                continue
            if end is not None:
                yield end
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if errors:
        raise errors[0]
