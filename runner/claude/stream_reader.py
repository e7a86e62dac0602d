"""An open event stream → `Reply` or `Failure`. What was received whole counts, however the connection ends after it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import httpx2
import orjson
from anthropic import AsyncStream

from runner.claude.decoding import loose_json, whole
from runner.claude.failures import failure_in_success, parse_error
from runner.claude.headers import kept_headers
from runner.claude.replies import malformed, outcome_of_body, outcome_of_message
from runner.claude.streaming import StreamedMessage, says_error
from runner.claude.wording import one_line
from runner.records import Began, Failure, Json, Outcome

STREAMED = re.compile("event-?stream", re.IGNORECASE)
"""Content types of streams; AWS writes its own as one word."""

DRAIN_SECONDS = 1.0
"""How long a server may take to end a body after `message_stop`, so that its connection can be used again."""


async def read_stream(
    response: httpx2.Response,
    *,
    secrets: Iterable[str] = (),
    began: Began | None = None,
    events: AsyncIterator[Any] | None = None,
) -> Outcome:
    """Read a 2xx response to its end. began: called at `message_start`. Raises nothing but cancellation.

    events: its events, when they are not to be read off it as server-sent events.
    """
    growing = StreamedMessage(began=None if began is None else lambda id: began(id, kept_headers(response.headers)))
    try:
        if not STREAMED.search(response.headers.get("content-type", "")):  # a gateway that does not stream, or hides it
            body = await response.aread()
            return outcome_of_body(response.status_code, response.headers, body, secrets=secrets)
        failure = await take_events(events or AsyncStream.raw_events(response), response, growing, secrets)
    except (ValueError, httpx2.DecodingError) as error:  # a BrokenStream, or what is no JSON, no UTF-8, not packed
        what = one_line(f"the stream cannot be read: {error}", secrets=secrets)
        failure = malformed(what, status=response.status_code, headers=response.headers)
    except Exception as error:  # the transport's own exceptions come through here raw
        what = one_line(f"the stream broke off: {error or type(error).__name__}", secrets=secrets)
        failure = cut_off(response, what)
    if growing.finished:
        message = whole(growing.message) if growing.careless else growing.message
        return outcome_of_message(message, status=response.status_code, headers=response.headers)
    return failure or cut_off(response, "the stream ended before `message_stop`")


async def take_events(
    events: AsyncIterator[Any], response: httpx2.Response, growing: StreamedMessage, secrets: Iterable[str]
) -> Failure | None:
    """Feed events to the message until it is finished or an error event comes, which is returned."""
    async for sse in events:
        if not sse.data:
            continue
        if sse.event == "error":
            return error_event(sse.data, response, begun=growing.message is not None, secrets=secrets)
        event = event_of(sse.data, growing)
        if says_error(event):
            return error_event(sse.data, response, begun=growing.message is not None, secrets=secrets)
        growing.add(event)
        if growing.finished:
            await drain(events)
    return None


def event_of(data: str, growing: StreamedMessage) -> Json:
    """One event. A character that was cut in two pieces is put together when the message is whole."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        growing.careless = True
        return loose_json(data)


def error_event(data: str, response: httpx2.Response, *, begun: bool, secrets: Iterable[str]) -> Failure:
    """An error that came after the 200, such as an overload."""
    try:
        error = parse_error(orjson.loads(data))
    except orjson.JSONDecodeError:
        error = None
    if error is None:
        return cut_off(response, one_line(f"the stream ended with an error: {data}", secrets=secrets))
    status, headers = response.status_code, response.headers
    return failure_in_success(error, status=status, headers=headers, begun=begun, secrets=secrets)


async def drain(events: AsyncIterator[object]) -> None:
    with suppress(Exception):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in events:
                pass


def cut_off(response: httpx2.Response, what: str) -> Failure:
    return Failure(
        kind="truncated_stream",
        message=what,
        http_status=response.status_code,
        request_id=response.headers.get("request-id"),
        maybe_billed=True,
        headers=kept_headers(response.headers),
    )
