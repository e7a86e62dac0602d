"""One attempt: a request's bytes out, a `Reply` or a `Failure` back. Never tries again and never raises for a network.

Importing this takes as long as `import anthropic`. The body goes out as the bytes it already is: the SDK is given no
dict, so it never reads files that a body names, and never renders JSON twice. Redirects are not followed (they would
carry the bearer token elsewhere); proxies of the environment are used, by `httpx2`'s rules, not aiohttp's.

CPU of one request in this process, loopback, 1.5 kB body, no latency, median of 10 × 800 requests side by side on a
busy two-core machine: `send` 1.1 ms at 20 connections and 1.0 at 100; `client.messages.create` on the same transport
1.7 and 1.7. Between plain loops over each: 0.6 to 0.7 of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import httpx2
from anthropic import AnthropicError, AsyncAnthropic, AsyncStream, DefaultAioHttpClient, RequestOptions

from runner.claude.credentials import broken_credentials, forget_token, require_credentials, secrets_of
from runner.claude.origin import DEFAULT_ORIGIN, origin_of_url
from runner.claude.replies import outcome_of_body
from runner.claude.stream_reader import read_stream
from runner.claude.transport import failure_of_exception
from runner.claude.wording import one_line
from runner.errors import SpecError
from runner.records import Failure, Outcome, Request, Timeout

Stream: TypeAlias = Literal["auto"] | bool

MAX_PLAIN_TOKENS = 21_333
"""More than this may take over ten minutes, which needs a stream (SDK 2.12.0, `_calculate_nonstreaming_timeout`)."""


@asynccontextmanager
async def open_client(
    *,
    timeout: Timeout,  # noqa: ASYNC109 - limits of each request, not of opening
    stream: Stream,
    concurrency: int,
    env: Mapping[str, str],
    base_url: str | None = None,
    api_key: str | None = None,
) -> AsyncIterator[Client]:
    """A client for `concurrency` requests at a time. base_url, api_key: the simulator's; None: the SDK's own chain.

    Raises AccountError, before anything is sent, when there is no usable credential; SpecError for a base URL that is
    none. The SDK reads the process's environment itself; `env` is to be the same.
    """
    http = DefaultAioHttpClient(
        follow_redirects=False,
        timeout=http_timeout(timeout),
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
    )
    try:
        sdk = open_sdk(http, base_url=base_url or base_url_of(env), api_key=api_key)
        require_credentials(sdk)
        require_http(sdk, env)
    except BaseException:
        await http.aclose()
        raise
    async with sdk:
        yield Client(sdk, timeout, stream, secrets_of(sdk))


def base_url_of(env: Mapping[str, str]) -> str | None:
    """None, so that the SDK chooses, but for a variable that is there and empty, which the SDK would take for a URL."""
    return DEFAULT_ORIGIN if env.get("ANTHROPIC_BASE_URL", "unset").strip() == "" else None


def open_sdk(http: httpx2.AsyncClient, *, base_url: str | None, api_key: str | None) -> AsyncAnthropic:
    try:
        return AsyncAnthropic(base_url=base_url, api_key=api_key, max_retries=0, http_client=http)
    except AnthropicError as error:
        raise broken_credentials(error) from None
    except httpx2.InvalidURL as error:
        raise SpecError(f"the base URL cannot be read: {one_line(str(error))}", rule="base-url") from None


def require_http(sdk: AsyncAnthropic, env: Mapping[str, str]) -> None:
    if origin_of_url(str(sdk.base_url)) is None:
        source = "`ANTHROPIC_BASE_URL`" if "ANTHROPIC_BASE_URL" in env else "the base URL"
        raise SpecError(f"{source} is not an http(s) URL", next="Unset it, or correct it.", rule="base-url")


def http_timeout(timeout: Timeout) -> httpx2.Timeout:
    """Connecting and silence are the transport's to time; it has no limit for writing, and the total is ours."""
    return httpx2.Timeout(connect=timeout.connect, read=timeout.read, write=timeout.write, pool=None)


@dataclass(frozen=True)
class Client:
    """Sends attempts over one pool of connections. Get one from `open_client`."""

    sdk: AsyncAnthropic
    timeout: Timeout
    stream: Stream
    secrets: tuple[str, ...] = ()

    async def send(self, request: Request) -> Outcome:
        """One attempt, with one more after a 401 if that could be due to a token revoked before its time.

        Raises nothing but cancellation.
        """
        outcome = await self._attempt(request)
        rejected = isinstance(outcome, Failure) and outcome.http_status == 401
        return await self._attempt(request) if rejected and forget_token(self.sdk) else outcome

    async def _attempt(self, request: Request) -> Outcome:
        limits = request.timeout or self.timeout
        exchange = self._streamed if self._streams(request) else self._plain
        try:
            async with asyncio.timeout(limits.total):
                return await exchange(request, options_of(request, limits))
        except TimeoutError:
            return Failure("timeout", f"no whole answer within {limits.total:g} s", maybe_billed=True)

    def _streams(self, request: Request) -> bool:
        return request.max_tokens > MAX_PLAIN_TOKENS if self.stream == "auto" else self.stream

    async def _plain(self, request: Request, options: RequestOptions) -> Outcome:
        try:
            response = await self.sdk.post(
                "/v1/messages", content=request.body, cast_to=httpx2.Response, options=options
            )
        except Exception as error:
            return failure_of_exception(error, now=time.time(), secrets=self.secrets)
        return outcome_of_body(response.status_code, response.headers, response.content, secrets=self.secrets)

    async def _streamed(self, request: Request, options: RequestOptions) -> Outcome:
        try:
            # With this `cast_to` the SDK hands over the open response and leaves the events to us (2.12.0).
            response: Any = await self.sdk.post(
                "/v1/messages",
                content=with_stream(request.body),
                cast_to=httpx2.Response,
                options=options,
                stream=True,
                stream_cls=AsyncStream[object],
            )
        except Exception as error:
            return failure_of_exception(error, now=time.time(), secrets=self.secrets)
        try:
            return await read_stream(response, secrets=self.secrets)
        finally:
            with suppress(Exception):
                await response.aclose()


def options_of(request: Request, timeout: Timeout) -> RequestOptions:
    """What the SDK calls options of one request."""
    options: RequestOptions = {"timeout": http_timeout(timeout)}
    if request.betas:
        options["headers"] = {"anthropic-beta": ",".join(request.betas)}
    return options


def with_stream(body: bytes) -> bytes:
    """The same JSON object asking for a stream; last, so that it wins over one that is there already."""
    whole = body.rstrip()
    return whole[:-1] + (b'"stream":true}' if whole[:-1].strip() == b"{" else b',"stream":true}')
