"""A scripted HTTP server on loopback: it says exactly the bytes a test wants, and hangs up when the test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from runner.claude.client import open_client
from runner.records import Outcome, Request, Source, Timeout

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
KEY = "sk-ant-api03-not-a-real-key"
BODY = b'{"model":"claude-opus-5-5","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}'
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3},
}


@dataclass
class Received:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ScriptedServer:
    """Gives its answers in turn, the last one for ever. One connection may carry several requests."""

    answers: list[Answer]
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self.exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(head[0], headers, body))
        self.arrived.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return b"connection: close" not in answer
        await answer(writer)
        return False


@asynccontextmanager
async def serving(*answers: Answer, host: str = "127.0.0.1") -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(list(answers))
    listener = await asyncio.start_server(server.serve, host, 0)
    server.url = f"http://{host}:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()


def http(status: int, body: Any = b"", *, headers: dict[str, str] | None = None, length: int | None = None) -> bytes:
    """A whole response. body: bytes as they are, anything else as JSON. length: a content-length that may be a lie."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-type": "application/json", "request-id": "req_1", "connection": "close", **(headers or {})}
    fields["content-length"] = str(len(raw) if length is None else length)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + raw


def error_body(type_: str, message: str, code: str | None = None) -> dict[str, Any]:
    error = {"type": type_, "message": message, **({"details": {"error_code": code}} if code else {})}
    return {"type": "error", "error": error, "request_id": "req_body"}


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def stream(*events: dict[str, Any], headers: dict[str, str] | None = None) -> bytes:
    """A whole event stream that ends when the connection does."""
    fields = {"content-type": "text/event-stream", "request-id": "req_1", "connection": "close", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + sse(*events)


def start_event(**usage: Any) -> dict[str, Any]:
    message = {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 1, **usage}}
    return {"type": "message_start", "message": message}


def text_events(*pieces: str, index: int = 0) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": index},
    ]


def end_events(stop_reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3, **usage}},
        {"type": "message_stop"},
    ]


def a_request(*, body: bytes = BODY, max_tokens: int = 100, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "n": 0, "id": "a", "cell": {}, "repeat": 0, "key": "k", "model": "claude-opus-5-5",
        "source": Source("rows.csv", 2),
    }  # fmt: skip
    return Request(**{**fields, "body": body, "max_tokens": max_tokens, **changes})


@dataclass
class Exchange:
    outcome: Outcome
    server: ScriptedServer


def exchange(*answers: Answer, request: Request | None = None, stream: Any = "auto", **limits: Any) -> Exchange:
    """Send one request to a server that gives these answers."""

    async def run() -> Exchange:
        async with serving(*answers) as server, opened(server.url, stream=stream, timeout=Timeout(**limits)) as client:
            return Exchange(await client.send(request or a_request()), server)

    return asyncio.run(run())


def opened(url: str, *, stream: Any = "auto", timeout: Timeout | None = None, concurrency: int = 2):
    return open_client(
        base_url=url, api_key=KEY, timeout=timeout or Timeout(), stream=stream, concurrency=concurrency, env={}
    )
