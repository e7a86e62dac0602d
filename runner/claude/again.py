"""The SDK's request once more, with another body: what it makes of an address, headers and timeouts is the same for
every request of a kind, so it is made once a kind and not once a request.

The first request of a kind goes through the SDK's `post`; the ones after it go straight to the connections that the
SDK uses. That is right only where nothing depends on the moment: not with tokens that are renewed, a provider that
signs each body, or `ANTHROPIC_LOG`, which has the SDK and its library log each request, or spans of them; through a
proxy the SDK's way is kept, too. Judges no reply.
SDK 2.12.0, `_base_client.py`: `_build_request`, `_attempt_request`; it gives no span to a request made by `post`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import httpx2
from anthropic import AsyncAnthropic

from runner.claude.connections import Line, RawHeaders, line_to
from runner.records import Request, Timeout

Kind: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, str], ...], Timeout | None]

MOST_KINDS: Final = 64
"""Rows may have timeouts of their own; the ones beyond go the SDK's way."""


class Made(NamedTuple):
    """What requests of a kind have in common: their headers and the line they go over, to their address."""

    headers: dict[str, str]
    line: Line


class Answer(NamedTuple):
    """A whole response. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Again:
    """Makes requests like one that the SDK made. http: the client that the SDK sends with."""

    http: httpx2.AsyncClient
    made: dict[Kind, Made] = field(default_factory=dict)

    async def post(self, kind: Kind, body: bytes) -> Answer | None:
        """What comes back, None when the SDK has made no request of this kind yet. Raises what httpx2 raises."""
        known = self.made.get(kind)
        if known is None:
            return None
        return unpacked(*await known.line.post(known.headers, body))

    async def first(self, kind: Kind, response: httpx2.Response) -> Answer:
        """What came back on the SDK's way, still to be read; the next requests of this kind are made from its own."""
        async with aclosing(response):
            body = b"".join([part async for part in response.aiter_raw()])
        self._learn(kind, response.request)
        return unpacked(response.status_code, response.headers.raw, body)

    def _learn(self, kind: Kind, sent: httpx2.Request) -> None:
        """Keep what the SDK made of a request of this kind; its body is not kept."""
        if kind in self.made or len(self.made) >= MOST_KINDS:
            return
        line = line_to(self.http, sent.url, sent.extensions.get("timeout", {}))
        if line is not None:
            headers = {name: value for name, value in sent.headers.items() if name.lower() != "content-length"}
            self.made[kind] = Made(headers, line)


def unpacked(status: int, raw: RawHeaders, body: bytes) -> Answer:
    """The response whose body came as this; one that is not packed as its headers say is taken as it came, for there
    are gateways that unpack it and leave the header."""
    headers = plain_headers(raw)
    if "content-encoding" in headers:
        with suppress(httpx2.DecodingError):
            body = httpx2.Response(status, headers=raw, content=body).content
    return Answer(status, headers, body)


def plain_headers(raw: RawHeaders) -> dict[str, str]:
    """Headers as a plain map: `httpx2.Headers` decodes them anew each time that it is looked at."""
    headers: dict[str, str] = {}
    for name, value in raw:
        lower, text = _lower(name), _text(value)
        headers[lower] = f"{headers[lower]}, {text}" if lower in headers else text
    return headers


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


@lru_cache(maxsize=256)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def kind_of(request: Request) -> Kind:
    """What decides about everything of a request but its body."""
    return request.betas, tuple(request.headers.items()), request.timeout


def again(sdk: AsyncAnthropic, http: httpx2.AsyncClient) -> Again | None:
    """None where the SDK has to make every request itself; asked once a job, of a client for the Claude API."""
    logged = any(logging.getLogger(name).isEnabledFor(logging.INFO) for name in ("anthropic", "httpx2"))
    return None if sdk.credentials is not None or logged or traced() else Again(http)


def traced() -> bool:
    """Whether somebody registered where OpenTelemetry spans go; the SDK then makes one of each request."""
    return "opentelemetry.sdk.trace" in sys.modules
