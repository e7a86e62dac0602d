"""The connections that requests go over: kept for the next request, unless the server hangs up on kept ones.

A server may close a kept connection at any time, and a request that was on its way then may or may not have been read:
it counts as paid, and is sent again. So such requests are kept few: connections are not kept long, one that the server
has closed is found out before it is used, and after the first sign of such a server the next requests get connections
of their own. What repeats is sent over a `Line`; judges no failure.
https://www.rfc-editor.org/rfc/rfc9112.html#section-9.6

The only place that names aiohttp, whose connections the SDK's `DefaultAioHttpClient` uses.
"""

from __future__ import annotations

import select
from asyncio import BaseTransport
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakSet

import aiohttp
import httpx2
from anthropic import DefaultAioHttpClient
from anthropic._vendor.httpx_aiohttp.transport import map_aiohttp_exceptions

from runner.claude.wording import one_line
from runner.errors import SpecError

if TYPE_CHECKING:
    from aiohttp.connector import Connection

IDLE_SECONDS: Final = 1.5
"""Servers of common make close an idle connection after 2 s (gunicorn) or 5 s (uvicorn, Node.js, Apache)."""
ALONE: Final = 100
"""So many requests get a connection of their own after the server hung up on a kept one."""
LONGEST_HEADERS: Final = 1 << 20
"""Bytes of a header, and number of headers: a reply is paid for, whatever a gateway adds to it."""


RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]


@dataclass
class Reuse:
    """Whether connections are used again. alone: requests to come that are not to use a kept connection."""

    alone: int = 0

    def hung_up(self) -> None:
        """A connection was closed, or broke, on the server's side."""
        self.alone = ALONE


def open_http(*, timeout: httpx2.Timeout, concurrency: int, proxy: str | None) -> tuple[httpx2.AsyncClient, Reuse]:
    """The HTTP client of the SDK for so many requests at a time. Raises SpecError for settings that cannot be used."""
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    none = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # aiohttp keeps them; a second jar would go stale
    try:
        http = DefaultAioHttpClient(follow_redirects=False, timeout=timeout, limits=limits, proxy=proxy, cookies=none)
    except OSError as error:  # it reads certificates
        what = f"the certificates in `SSL_CERT_FILE` or `SSL_CERT_DIR` cannot be read: {one_line(str(error))}"
        raise SpecError(what, next="Correct the variable, or unset it.", rule="certificates") from None
    except (ValueError, httpx2.InvalidURL):  # its message may show a password
        step = "Correct `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`: write `http://host:port`."
        raise SpecError("the proxy's address cannot be used", next=step, rule="proxy") from None
    return http, careful(http)


def careful(http: httpx2.AsyncClient) -> Reuse:
    """Have every transport of this client, one for each proxy, make connections as told here."""
    reuse = Reuse()
    for transport in (http._transport, *http._mounts.values()):
        if transport is not None:
            made: Any = transport
            made.client = partial(_session, made, reuse)
    return reuse


def _session(transport: Any, reuse: Reuse) -> aiohttp.ClientSession:
    """What the transport makes itself otherwise (SDK 2.12.0, `_vendor/httpx_aiohttp/transport.py`)."""
    if transport.proxy is not None and transport.proxy.url.scheme not in ("http", "https"):
        raise UnusableProxy(transport.proxy.url.scheme)
    connector = Connections(
        reuse=reuse,
        limit=transport.limits.max_connections,
        keepalive_timeout=IDLE_SECONDS,
        ssl=transport.ssl_context,
    )
    return aiohttp.ClientSession(
        connector=connector,
        response_class=Response,
        cookie_jar=aiohttp.CookieJar(unsafe=True),  # of hosts without a name, too, as httpx2 keeps them
        max_line_size=LONGEST_HEADERS,
        max_field_size=LONGEST_HEADERS,
        max_headers=LONGEST_HEADERS,
    )


class Response(aiohttp.ClientResponse):
    """A response whose reason phrase can be written as UTF-8: the SDK's transport gives up on any other."""

    async def start(self, connection: Connection) -> Response:
        await super().start(connection)
        self.reason = (self.reason or "").encode("utf-8", "replace").decode()
        return self


@dataclass(frozen=True)
class Line:
    """The way to one address, as requests of one kind go: what the SDK's transport does, without what is made anew for
    each request on the way to it (SDK 2.12.0, `_vendor/httpx_aiohttp/transport.py`)."""

    session: aiohttp.ClientSession
    url: str
    timeout: aiohttp.ClientTimeout

    async def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, RawHeaders, bytes]:
        """(status, headers, body as it came). Raises what httpx2 raises."""
        with map_aiohttp_exceptions():
            answered = self.session.post(
                self.url,
                headers=headers,
                data=body,
                allow_redirects=False,
                auto_decompress=False,
                timeout=self.timeout,
            )
            async with answered as response:
                return response.status, response.raw_headers, await response.read()


def line_to(http: httpx2.AsyncClient, url: httpx2.URL, timeouts: Mapping[str, float | None]) -> Line | None:
    """How a request like one that was sent gets there, None when that is by a proxy. timeouts: of httpx2, seconds."""
    transport: Any = http._transport_for_url(url)
    if transport.proxy is not None or not isinstance(transport.client, aiohttp.ClientSession):
        return None
    silence = aiohttp.ClientTimeout(sock_connect=timeouts.get("connect"), sock_read=timeouts.get("read"))
    return Line(transport.client, str(url), silence)


class UnusableProxy(Exception):
    """The environment names a proxy that speaks another protocol."""

    def __init__(self, scheme: str) -> None:
        super().__init__(f"a proxy of the environment speaks `{scheme}`, and only http and https proxies can be used")


class Connections(aiohttp.TCPConnector):
    """Hands out connections, none that the server has closed."""

    def __init__(self, *, reuse: Reuse, **settings: Any) -> None:
        super().__init__(**settings)
        self._reuse = reuse
        self._seen: WeakSet[Any] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109 - aiohttp's signature
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol not in self._seen:
                self._seen.add(connection.protocol)
                self._reuse.alone = max(0, self._reuse.alone - 1)
                return connection
            if has_ended(connection.transport):
                self._reuse.hung_up()
            elif not self._reuse.alone:
                return connection
            connection.close()


def has_ended(transport: BaseTransport | None) -> bool:
    """Whether an idle connection has something to read: the server's goodbye, or what nobody asked for."""
    socket = transport.get_extra_info("socket") if transport is not None else None
    if socket is None or socket.fileno() < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(socket, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([socket], [], [], 0)[0])
