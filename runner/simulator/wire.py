"""Writes one exchange's answer to its socket, whole or broken as a fault asks, and notes in the entry how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from runner.simulator import sse
from runner.simulator.errors import Rejected
from runner.simulator.log import Entry

SIMULATED = {"x-promptrun-simulated": "1", "anthropic-organization-id": "simulated"}
OVERLOADED = Rejected("Overloaded", status=529, type="overloaded_error")
BAD_JSON = b'{"type": "message", "content": [{"type": "text", "te'
BAD_EVENT = b'event: content_block_delta\ndata: {"type": "content_block_delta", "ind\n\n'


class Wire:
    """One exchange's socket. response: what was written, None until something is."""

    def __init__(self, request: web.BaseRequest, entry: Entry) -> None:
        self.request = request
        self.entry = entry
        self.response: web.StreamResponse | None = None

    async def read(self, limit: int) -> bytes | None:
        """The whole body, or None when it is larger than `limit` bytes; then it was read and thrown away."""
        size, chunks = 0, []
        async for chunk in self.request.content.iter_any():
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
        return b"".join(chunks) if size <= limit else None

    async def json(self, value: Any) -> None:
        await self._whole(200, orjson.dumps(value), {})
        self.entry.outcome = "completed"

    async def error(self, rejected: Rejected) -> None:
        self.entry.error = rejected.type
        await self._whole(rejected.status, rejected.body(self.entry.request_id), rejected.headers)
        self.entry.outcome = "error"

    def drop(self) -> None:
        """Close the connection with nothing sent."""
        self.entry.outcome = "broken"
        if self.request.transport is not None:
            self.request.transport.abort()

    async def message(self, body: bytes, headers: Mapping[str, str], fault: str | None) -> None:
        """A Message as plain JSON; the faults `malformed` and `cut_body` spoil it."""
        if fault == "cut_body":
            await self._cut(body, headers)
            return
        await self._whole(200, BAD_JSON if fault == "malformed" else body, headers)
        self.entry.outcome = "completed"

    async def stream(self, message: dict[str, Any], headers: Mapping[str, str], fault: str | None) -> None:
        """A Message as events; stream faults spoil them."""
        self.entry.status = 200
        response = web.StreamResponse(headers=self._headers(headers, "text/event-stream; charset=utf-8"))
        self.response = response
        await response.prepare(self.request)
        blocks = sse.blocks(message)
        if fault == "dropped_stream":
            await response.write(sse.start(message) + b"".join(blocks[: len(blocks) // 2]))
            self._hang_up()
            return
        await response.write(b"".join((sse.start(message), *self._rest(message, blocks, fault))))
        await response.write_eof()
        self.entry.outcome = {"stream_overload": "error", "truncated_stream": "broken"}.get(fault or "", "completed")  # type: ignore[assignment]

    def _rest(self, message: dict[str, Any], blocks: list[bytes], fault: str | None) -> list[bytes]:
        """What follows message_start."""
        if fault == "stream_overload":
            self.entry.error = OVERLOADED.type
            return [*blocks[:1], sse.error(OVERLOADED.body(self.entry.request_id))]
        if fault == "malformed":
            return [*blocks[:1], BAD_EVENT]
        if fault == "truncated_stream":
            return blocks
        return [*blocks, sse.end(message)]

    async def _whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.entry.status = status
        response = web.Response(status=status, body=body, headers=self._headers(headers, "application/json"))
        self.response = response
        await response.prepare(self.request)
        await response.write_eof()

    async def _cut(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Half of what content-length promises."""
        self.entry.status = 200
        response = web.StreamResponse(headers=self._headers(headers, "application/json"))
        self.response = response
        response.content_length = len(body)
        await response.prepare(self.request)
        await response.write(body[: len(body) // 2])
        self._hang_up()

    def _hang_up(self) -> None:
        """Close after what was written has left."""
        self.entry.outcome = "broken"
        if self.request.transport is not None:
            self.request.transport.close()

    def _headers(self, headers: Mapping[str, str], content_type: str) -> dict[str, str]:
        return {"content-type": content_type, "request-id": self.entry.request_id, **SIMULATED, **headers}
