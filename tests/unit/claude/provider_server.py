"""A server on loopback that stands for every provider's endpoint: it answers by model and keeps what it was sent.

Paths as SDK 2.12.0 makes them: `/model/{model}/invoke` (Bedrock), `…/publishers/anthropic/models/{model}:rawPredict`
(Vertex), `/v1/messages` (the others), and `/token` for Google's login.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from scripted_server import MESSAGE, end_events, http, start_event, stream, text_events

REFUSAL = {"type": "refusal", "category": "cyber", "explanation": None}


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def model(self) -> str:
        """The model, in the path or in the body."""
        found = re.search(r"/models?/([^/]+?)(:rawPredict|:streamRawPredict|/invoke.*)$", self.path)
        return unquote(found[1]) if found else self.body["model"]


@dataclass
class ProviderServer:
    """refusing: models that decline. asked: every request for Claude, in order."""

    refusing: frozenset[str] = frozenset()
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            writer.write(self.answer(head[0].split(" ")[1], headers, body))
            await writer.drain()
        finally:
            writer.close()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if path == "/token":
            return http(200, {"access_token": "google-token", "expires_in": 3600, "token_type": "Bearer"})
        asked = Asked(path, headers, json.loads(body))
        self.asked.append(asked)
        refused = asked.model in self.refusing
        if "response-stream" in path:
            return aws_stream(events(asked.model, refused))
        if "streamRawPredict" in path or asked.body.get("stream"):
            return stream(*events(asked.model, refused))
        return http(200, message(asked.model, refused))


def message(model: str, refused: bool) -> dict[str, Any]:
    if refused:
        usage = {"input_tokens": 9, "output_tokens": 0}
        end = {"content": [], "stop_reason": "refusal", "stop_details": REFUSAL}
        return {**MESSAGE, "model": model, "usage": usage, **end}
    return {**MESSAGE, "model": model, "content": [{"type": "text", "text": f"I am {model}"}]}


def events(model: str, refused: bool) -> list[dict[str, Any]]:
    start = start_event()
    start["message"]["model"] = model
    if not refused:
        return [start, *text_events(f"I am {model}"), *end_events()]
    end = end_events("refusal", output_tokens=0)
    end[0]["delta"]["stop_details"] = REFUSAL
    return [start, *end]


def aws_stream(sent: list[dict[str, Any]]) -> bytes:
    fields = {"content-type": "application/vnd.amazon.eventstream"}
    return http(200, b"".join(aws_frame(event) for event in sent), headers=fields)


def aws_frame(event: dict[str, Any]) -> bytes:
    """One frame of `vnd.amazon.eventstream`: lengths, headers, payload and two checksums."""
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    names = ((":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event"))
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in names
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


@asynccontextmanager
async def provider(*refusing: str) -> AsyncIterator[ProviderServer]:
    server = ProviderServer(frozenset(refusing))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
