"""The simulator's socket: a Messages API on loopback that any Anthropic client can be pointed at with its base URL.

Never listens anywhere but on loopback, and needs no credentials of anybody.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from runner.errors import SpecError
from runner.simulator.config import SimulatorConfig
from runner.simulator.log import RequestLog

STOP_SECONDS = 0.3
"""How long a stop waits for answers under way, and then again for them to be cancelled."""


class Simulator:
    """`await start()`, point a client at `url`, `await stop()`. It can also be used as `async with`.

    clock: seconds since 1970; sleep and rng: as asyncio's and random's. rng only makes request ids unique.
    """

    def __init__(
        self,
        config: SimulatorConfig | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.config = config or SimulatorConfig()
        self.log = RequestLog(self.config.log_size)
        self.url = ""
        self._clock, self._sleep, self._rng = clock, sleep, rng or random.Random()  # noqa: S311 - ids, not secrets
        self._listener: asyncio.Server | None = None
        self._server: Any = None
        self._api: Any = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen on a loopback address and return the base URL; port 0 takes a free one.

        Raises SpecError for another address and for a port that cannot be had.
        """
        from aiohttp import web

        from runner.simulator.api import Api

        _check_loopback(host)
        self._api = Api(self.config, self.log, self._clock, self._sleep, self._rng)
        self._server = web.Server(self._api.handle, handler_cancellation=True, access_log=None)
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._server, host, port, backlog=1024)
        except (OSError, OverflowError) as error:
            raise SpecError(
                f"the simulator cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}",
                rule="port",
                next="Choose another port, or 0 for any that is free.",
            ) from error
        name, number = self._listener.sockets[0].getsockname()[:2]
        self.url = f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
        return self.url

    async def stop(self) -> None:
        """Stop listening, end what hangs, close every connection; takes less than a second."""
        if self._listener is None:
            return
        self._listener.close()
        self._api.stopping.set()
        await self._server.shutdown(STOP_SECONDS)
        await asyncio.sleep(0)  # lets cancelled handlers log how they ended
        self._listener = None

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def serve(config: SimulatorConfig, port: int, *, on_ready: Callable[[str], None], host: str = "127.0.0.1") -> None:
    """Run a simulator until Ctrl-C; `on_ready` gets its URL once it listens. Prints nothing."""
    try:
        asyncio.run(_serve(config, host, port, on_ready))
    except KeyboardInterrupt:
        return


async def _serve(config: SimulatorConfig, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    simulator = Simulator(config)
    try:
        on_ready(await simulator.start(host, port))
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def _check_loopback(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SpecError(
            f"the simulator listens on loopback only, not on `{host}`", rule="loopback", next="Use 127.0.0.1."
        )
