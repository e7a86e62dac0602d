"""One attempt: a request's bytes out, a `Reply` or a `Failure` back. Never tries again and never raises for a network.

Importing this takes as long as `import anthropic`. The body goes out as the bytes it already is: the SDK is given no
dict, so it never reads files that a body names, and never renders JSON twice. Redirects are not followed (they would
carry the bearer token elsewhere); proxies of the environment are used, by `httpx2`'s rules, not aiohttp's.

What that costs, against the SDK's own loops: benchmarks/RESULTS.md.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import httpx2
from anthropic import AnthropicError, AsyncAnthropic, AsyncStream, RequestOptions

from runner.claude.again import Again, Answer, again, kind_of, traced
from runner.claude.connections import Reuse, open_http
from runner.claude.credentials import broken_credentials, forget_token, require_credentials, secrets_of
from runner.claude.failures import failure_of_response
from runner.claude.origin import DEFAULT_ORIGIN, origin_of_url
from runner.claude.providers import headers_of, open_provider
from runner.claude.replies import outcome_of_body
from runner.claude.secrets import Unshown, secret_values, with_secrets, without_secrets
from runner.claude.stream_reader import read_stream
from runner.claude.transport import failure_of_exception
from runner.claude.typed import TypedPath, with_hops
from runner.claude.within import Within
from runner.claude.wording import one_line
from runner.errors import SpecError
from runner.models.providers import ANTHROPIC, PROVIDERS
from runner.records import Began, Failure, Json, Outcome, Request, Timeout
from runner.spec.job import ClientSpec

Stream: TypeAlias = Literal["auto"] | bool

SPAN = "anthropic.messages.create"
"""What the SDK calls the span of such a request; without a name it makes none (2.12.0, `make_request_options`)."""

BROKEN = ("connection", "truncated_stream")
"""After these the other connections may be as dead, as when a server was started anew."""

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
    tokens: Mapping[str, str] | None = None,
    client: ClientSpec = ClientSpec(),  # noqa: B008 - frozen
) -> AsyncIterator[Client]:
    """A client for `concurrency` requests at a time. base_url, api_key: the simulator's; None: the SDK's own chain.
    tokens: where the tokens of MCP servers come from, `env` unless told otherwise; the simulator gets none.
    client: whom the job asks, and how; the simulator is asked in the Claude API's stead, whoever it is.

    Raises AccountError, before anything is sent, when there is no usable credential; SpecError for a base URL that is
    none. The SDK reads the process's environment itself; `env` is to be the same.
    """
    http, reuse = open_http(timeout=http_timeout(timeout), concurrency=concurrency, proxy=client.proxy)
    try:
        if client.provider == ANTHROPIC:
            url = base_url or client.base_url or base_url_of(env)
            sdk = open_sdk(http, base_url=url, api_key=api_key, headers=headers_of(client, env))
            require_credentials(sdk)
            require_http(sdk, env)
        else:
            sdk = await open_provider(client, http, env)
    except BaseException:
        await http.aclose()
        raise
    async with sdk:
        hidden = (*secrets_of(sdk), *(env[name] for name in client.header_variables.values() if env.get(name)))
        typed, repeated = typed_path(client, sdk), again(sdk, http) if client.provider == ANTHROPIC else None
        yield Client(sdk, timeout, stream, hidden, env if tokens is None else tokens, typed, repeated, reuse)


def typed_path(client: ClientSpec, sdk: AsyncAnthropic) -> TypedPath | None:
    """The SDK's own path, where the bytes of a request cannot be sent as they are; chosen once a job."""
    if client.provider == ANTHROPIC:
        return None
    provider = PROVIDERS[client.provider]
    return TypedPath(sdk, always=not provider.bytes_go, binary=provider.binary_streams)


def base_url_of(env: Mapping[str, str]) -> str | None:
    """None, so that the SDK chooses, but for a variable that is there and empty, which the SDK would take for a URL."""
    return DEFAULT_ORIGIN if env.get("ANTHROPIC_BASE_URL", "unset").strip() == "" else None


def open_sdk(
    http: httpx2.AsyncClient, *, base_url: str | None, api_key: str | None, headers: Mapping[str, str] | None = None
) -> AsyncAnthropic:
    try:
        return AsyncAnthropic(
            base_url=base_url, api_key=api_key, max_retries=0, http_client=http, default_headers=headers or None
        )
    except AnthropicError as error:
        raise broken_credentials(error) from None
    except httpx2.InvalidURL as error:
        raise SpecError(f"the base URL cannot be read: {one_line(str(error))}", rule="base-url") from None


def require_http(sdk: AsyncAnthropic, env: Mapping[str, str]) -> None:
    if origin_of_url(str(sdk.base_url)) is None:
        source = "`ANTHROPIC_BASE_URL`" if "ANTHROPIC_BASE_URL" in env else "the base URL"
        raise SpecError(f"{source} is not an http(s) URL", next="Unset it, or correct it.", rule="base-url")


def http_timeout(timeout: Timeout) -> httpx2.Timeout:
    """Connecting and silence are the transport's to time; it has no limit for writing, and the total is ours.

    A silence as long as the total is left to the total, since a transport's timers know nothing of a process that
    stood still (`Within`).
    """
    bounded = timeout.read is not None and timeout.total is not None and timeout.read >= timeout.total
    read = None if bounded else timeout.read
    return httpx2.Timeout(connect=timeout.connect, read=read, write=timeout.write, pool=None)


@dataclass(frozen=True)
class Client:
    """Sends attempts over one pool of connections. Get one from `open_client`."""

    sdk: AsyncAnthropic
    timeout: Timeout
    stream: Stream
    secrets: tuple[str, ...] = ()
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    typed: TypedPath | None = None
    repeated: Again | None = None
    reuse: Reuse = field(default_factory=Reuse)

    async def send(self, request: Request, began: Began | None = None) -> Outcome:
        """One attempt, with one more after a 401 if that could be due to a token revoked before its time.

        began: called with the message's id once the reply begins; with `stream: auto` such a request is streamed, so
        that it begins early.
        Raises nothing but cancellation.
        """
        outcome = await self._attempt(request, began)
        rejected = isinstance(outcome, Failure) and outcome.http_status == 401
        if rejected and forget_token(self.sdk):
            outcome = await self._attempt(request, began)
        if isinstance(outcome, Failure) and outcome.kind in BROKEN:
            self.reuse.hung_up()
        return without_secrets(outcome, secret_values(request, self.tokens))

    async def _attempt(self, request: Request, began: Began | None) -> Outcome:
        limits = request.timeout or self.timeout
        try:
            async with Within(limits.total):
                if self._streams(request, began is not None):
                    return await self._streamed(request, options_of(request, limits), began)
                return await self._plain(request, limits)
        except TimeoutError:
            return Failure("timeout", f"no whole answer within {limits.total:g} s", maybe_billed=True)

    def _streams(self, request: Request, awaited: bool) -> bool:
        if self.typed is not None and not self.typed.can_stream(request):
            return False
        return awaited or request.max_tokens > MAX_PLAIN_TOKENS if self.stream == "auto" else self.stream

    def _bytes(self, request: Request, *, stream: bool = False) -> bytes:
        """What is sent; with a token in it, it is something that no log can show."""
        body = with_stream(request.body) if stream else request.body
        return Unshown(with_secrets(body, request.secrets, self.tokens)) if request.secrets else body

    def _hidden(self, request: Request) -> tuple[str, ...]:
        """What no message about this request may show."""
        return (*self.secrets, *secret_values(request, self.tokens)) if request.secrets else self.secrets

    async def _plain(self, request: Request, limits: Timeout) -> Outcome:
        body, hidden = self._bytes(request), self._hidden(request)
        hops: list[Json] = []
        try:
            if self.typed is not None and self.typed.takes(request):
                answer = of_response(await self.typed.plain(body, options_of(request, limits), hops))
            else:
                answer = await self._posted(request, limits, body)
        except Exception as error:
            return with_hops(failure_of_exception(error, now=time.time(), secrets=hidden), hops)
        if not 200 <= answer.status < 300:
            return failure_of_response(*answer, now=time.time(), secrets=hidden)
        return with_hops(outcome_of_body(*answer, secrets=hidden), hops)

    async def _posted(self, request: Request, limits: Timeout, body: bytes) -> Answer:
        """The whole response. Raises what the SDK raises; once a request like this one was made, what httpx2 raises."""
        kind = kind_of(request)
        answer = await self.repeated.post(kind, body) if self.repeated is not None else None
        if answer is not None:
            return answer
        options = options_of(request, limits)
        if self.repeated is not None:
            return await self.repeated.first(kind, await self._open_stream(body, options))
        return of_response(await self.sdk.post("/v1/messages", content=body, cast_to=httpx2.Response, options=options))

    async def _streamed(self, request: Request, options: RequestOptions, began: Began | None) -> Outcome:
        body, hidden = self._bytes(request, stream=True), self._hidden(request)
        events: AsyncIterator[Any] | None = None
        try:
            if self.typed is not None and self.typed.takes(request):
                response, events = await self.typed.streamed(body, options)
            else:
                response = await self._open_stream(body, options)
        except Exception as error:
            return failure_of_exception(error, now=time.time(), secrets=hidden)
        try:
            return await read_stream(response, secrets=hidden, began=began, events=events)
        finally:
            with suppress(Exception):
                await response.aclose()

    async def _open_stream(self, body: bytes, options: RequestOptions) -> httpx2.Response:
        """With this `cast_to` the SDK hands over the open response and leaves the events to us (2.12.0)."""
        response: Any = await self.sdk.post(
            "/v1/messages",
            content=body,
            cast_to=httpx2.Response,
            options=options,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        opened: httpx2.Response = response
        return opened


def of_response(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


def options_of(request: Request, timeout: Timeout) -> RequestOptions:
    """What the SDK calls options of one request.

    Betas go to the same address as anything else, as headers (SDK 2.12.0, `resources/beta/messages/messages.py`).
    """
    options: RequestOptions = {"timeout": http_timeout(timeout)}
    betas = {"anthropic-beta": ",".join(request.betas)} if request.betas else {}
    if betas or request.headers:
        options["headers"] = {**request.headers, **betas}
    if traced():
        options["span_name"] = SPAN  # type: ignore[typeddict-unknown-key]
    return options


def with_stream(body: bytes) -> bytes:
    """The same JSON object asking for a stream; last, so that it wins over one that is there already."""
    whole = body.rstrip()
    return whole[:-1] + (b'"stream":true}' if whole[:-1].strip() == b"{" else b',"stream":true}')
