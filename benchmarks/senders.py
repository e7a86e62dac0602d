"""Sends the same requests in one of several ways and prints what sending took. One process a way: see `loop.py`.

    python senders.py WAY URL SPEC CONCURRENCY REQUESTS

What is counted is what the event loop does, from its first line to its last, once a few requests were sent the same
way, so that everything is imported, and the job is planned. So `promptrun` pays for all it does while it sends:
rendering once more, journal, results, progress, the run's files and its summary. The SDK's loops have their bodies
ready, as maps, and throw the replies away.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import aiohttp
import httpx2
import orjson
from anthropic import AsyncAnthropic, DefaultAioHttpClient

WARM_UP = 5
Ask = Callable[[Any], Awaitable[object]]
run_loop = asyncio.run


class Terminal(io.StringIO):
    """Where a progress bar is drawn; nobody reads it."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


async def workers(ask: Ask, bodies: list[Any], concurrency: int) -> None:
    """The loop people write: so many tasks that take the next body."""
    rest = iter(bodies)

    async def work() -> None:
        for body in rest:
            await ask(body)

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def create(url: str, bodies: list[Any], concurrency: int, http: httpx2.AsyncClient | None) -> None:
    """`client.messages.create`, on the transport given or on the SDK's default."""
    async with AsyncAnthropic(base_url=url, max_retries=0, http_client=http) as client:
        await workers(lambda body: client.messages.create(**body), bodies, concurrency)


async def create_on_aiohttp(url: str, bodies: list[Any], concurrency: int) -> None:
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    await create(url, bodies, concurrency, DefaultAioHttpClient(limits=limits))


async def create_on_default(url: str, bodies: list[Any], concurrency: int) -> None:
    await create(url, bodies, concurrency, None)


async def plain_aiohttp(url: str, bodies: list[Any], concurrency: int) -> None:
    """The floor: no SDK; a body written as JSON and a reply read as JSON."""
    headers = {"x-api-key": "benchmark", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def ask(body: Any) -> object:
            async with session.post(f"{url}/v1/messages", data=orjson.dumps(body)) as response:
                return orjson.loads(await response.read())

        await workers(ask, bodies, concurrency)


SDK_WAYS = {"create": create_on_aiohttp, "create-default": create_on_default, "aiohttp": plain_aiohttp}


def bodies_of(spec: str, requests: int) -> list[Any]:
    """What `promptrun` sends, as maps."""
    command = [sys.executable, "-m", "runner.cli", "render", spec, "--limit", str(requests)]
    lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    return [orjson.loads(line)["body"] for line in lines]


class Loop:
    """Stands in for `asyncio.run` and keeps what it took."""

    took: dict[str, float]

    def run(self, main: Coroutine[Any, Any, Any], **how: Any) -> Any:
        begun, used = time.perf_counter(), cpu()
        try:
            return run_loop(main, **how)
        finally:
            self.took = {"cpu": cpu() - used, "seconds": time.perf_counter() - begun}


def promptrun(spec: str, concurrency: int, requests: int, loop: Loop) -> None:
    """The command itself in this process, with its progress bar on a terminal."""
    import runner.cli

    asyncio.run = loop.run
    with tempfile.TemporaryDirectory() as outputs, redirect_stdout(io.StringIO()), redirect_stderr(Terminal()):
        count = ["--concurrency", str(concurrency), "--limit", str(requests), "--yes"]
        try:
            runner.cli.main(["run", spec, "--output-dir", outputs, *count])
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"promptrun ended with {end.code}") from end


def cpu() -> float:
    times = os.times()
    return times.user + times.system


def main(way: str, url: str, spec: str, concurrency: int, requests: int) -> dict[str, float]:
    os.environ["ANTHROPIC_BASE_URL"] = url
    loop = Loop()
    bodies = bodies_of(spec, requests) if way in SDK_WAYS else []
    for number in (WARM_UP, requests):
        if way in SDK_WAYS:
            loop.run(SDK_WAYS[way](url, bodies[:number], concurrency))
        else:
            promptrun(spec, concurrency, number, loop)
    return loop.took


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:4], *map(int, sys.argv[4:6]))))
