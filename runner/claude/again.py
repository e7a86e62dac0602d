"""The SDK's request once more, with another body: what it makes of an address, headers and timeouts is the same for
every request of a kind, so it is made once a kind and not once a request.

The first request of a kind goes through the SDK's `post`; the ones after it go to the SDK's own HTTP client. That is
right only where nothing depends on the moment: not with tokens that are renewed, a provider that signs each body, or
`ANTHROPIC_LOG=debug`, which has the SDK log what it sends, or spans of its requests. Judges no reply.
SDK 2.12.0, `_base_client.py`: `_build_request`, `_attempt_request`; it gives no span to a request made by `post`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import httpx2
from anthropic import AsyncAnthropic

from runner.records import Request, Timeout

Kind: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, str], ...], Timeout | None]

MOST_KINDS: Final = 64
"""Rows may have timeouts of their own; the ones beyond go the SDK's way."""

OF_ONE_BODY: Final = ("content-length", "cookie")


class Made(NamedTuple):
    """What requests of a kind have in common. extensions: their timeouts, to the HTTP client."""

    url: httpx2.URL
    headers: httpx2.Headers
    extensions: dict[str, Any]


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
        request = self.like(kind, body)
        return await whole(await self.http.send(request, stream=True)) if request is not None else None

    def learn(self, kind: Kind, sent: httpx2.Request) -> None:
        """Keep what the SDK made of a request of this kind; its body is not kept."""
        if kind not in self.made and len(self.made) < MOST_KINDS:
            headers = sent.headers.copy()
            for name in OF_ONE_BODY:
                headers.pop(name, None)
            self.made[kind] = Made(sent.url, headers, dict(sent.extensions))

    def like(self, kind: Kind, body: bytes) -> httpx2.Request | None:
        """A request with this body, None when the SDK has made none of this kind yet."""
        known = self.made.get(kind)
        if known is None:
            return None
        url, headers, extensions = known
        cookies, stream = self.http.cookies or None, httpx2.ByteStream(body)
        made = httpx2.Request("POST", url, headers=headers, cookies=cookies, stream=stream, extensions=extensions)
        made.headers.encoding = headers.encoding  # else it is found out anew, header by header
        made.headers["Content-Length"] = str(len(body))
        made.read()  # the transport sends what was read in one piece
        return made


async def whole(response: httpx2.Response) -> Answer:
    """Read an open response. One that is not compressed needs none of the steps that httpx2 takes with every piece."""
    pieces: Any = response.stream
    try:
        headers = plain_headers(response.headers.raw)
        plain = "content-encoding" not in headers
        body = b"".join([piece async for piece in pieces]) if plain else await response.aread()
    finally:
        await response.aclose()
    return Answer(response.status_code, headers, body)


def plain_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as a plain map: `httpx2.Headers` decodes them anew each time that it is looked at."""
    headers: dict[str, str] = {}
    for name, value in raw:
        lower, text = _lower(name), value.decode("latin-1")
        headers[lower] = f"{headers[lower]}, {text}" if lower in headers else text
    return headers


@lru_cache(maxsize=256)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def kind_of(request: Request) -> Kind:
    """What decides about everything of a request but its body."""
    return request.betas, tuple(request.headers.items()), request.timeout


def again(sdk: AsyncAnthropic, http: httpx2.AsyncClient) -> Again | None:
    """None where the SDK has to make every request itself; asked once a job, of a client for the Claude API."""
    moving = sdk.credentials is not None or logging.getLogger("anthropic").isEnabledFor(logging.DEBUG)
    return None if moving or traced() else Again(http)


def traced() -> bool:
    """Whether somebody registered where OpenTelemetry spans go; the SDK then makes one of each request."""
    return "opentelemetry.sdk.trace" in sys.modules
