"""The way of one job to the API: opened when the first request has to be sent, and never when none has to be.

Importing the SDK takes a second or two, and a run that has every answer already needs no credentials.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from runner.planning import PlannedJob
from runner.prompts.media_body import whole_body
from runner.records import Outcome, Request

if TYPE_CHECKING:
    from runner.claude.client import Client
    from runner.claude.uploads import FileSender
    from runner.store import RunWriter

SIMULATED_LATENCY = 0.05
SIMULATOR_KEY = "simulated"
Address: TypeAlias = Callable[[], Awaitable[str | None]]


@asynccontextmanager
async def simulator_when_asked(wanted: bool) -> AsyncIterator[Address]:
    """Gives the address of a simulator that starts when it is asked for first and lives as long as the run.

    None, when the real API is asked.
    """
    from asyncio import Lock  # commands that send nothing import this module too

    guard, urls = Lock(), list[str]()
    async with AsyncExitStack() as stack:

        async def url() -> str | None:
            async with guard:
                if wanted and not urls:
                    from runner.simulator import Simulator, SimulatorConfig

                    simulator = Simulator(SimulatorConfig(latency=SIMULATED_LATENCY, bedrock_ids=True))
                    urls.append((await stack.enter_async_context(simulator)).url)
            return urls[0] if urls else None

        yield url


class Connection:
    """A client that is opened when it is needed, and closed with the context.

    address: of a simulator; None for where the job's own settings lead.
    """

    def __init__(
        self, one: PlannedJob, *, concurrency: int, env: Mapping[str, str], address: str | Address | None = None
    ) -> None:
        self.one, self.concurrency, self.env, self.address = one, concurrency, env, address
        self._stack = AsyncExitStack()
        from asyncio import Lock

        self._guard = Lock()
        self._client: Client | None = None

    async def open(self) -> Client:
        """The client. Raises AccountError without credentials, SpecError for settings that do not work."""
        async with self._guard:
            if self._client is None:
                from runner.claude.client import open_client

                settings = self.one.job.run
                opening = open_client(
                    timeout=settings.request_timeout,
                    stream=settings.stream,
                    concurrency=self.concurrency,
                    env=self.env,
                    **await self._whom(),
                )
                self._client = await self._stack.enter_async_context(opening)
        return self._client

    async def _whom(self) -> dict[str, Any]:
        address = await self.address() if callable(self.address) else self.address
        if address is None:
            return {"client": self.one.job.client}
        return {"base_url": address, "api_key": SIMULATOR_KEY, "tokens": {}}

    def sender(self, run: RunWriter) -> Callable[..., Awaitable[Outcome]]:
        """What the engine sends attempts with; files go up once, and the run remembers their ids."""
        through: FileSender | None = None

        async def send(request: Request, **told: Any) -> Outcome:
            nonlocal through
            if through is None:
                client = await self.open()
                from runner.claude.uploads import FileSender

                through = through or FileSender(client, whole_body, run.file_ids(), run.uploaded)
            return await through.send(request, **told)

        return send

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)
