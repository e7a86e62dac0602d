"""A Message as the server-sent events that stream it.

Order and shapes: https://platform.claude.com/docs/en/build-with-claude/streaming and
`types/raw_message_stream_event.py` of SDK 2.12.0. Returns bytes; sends nothing."""

from __future__ import annotations

from typing import Any

import orjson

PIECE_CHARACTERS = 400
MAX_PIECES = 20
"""Longer texts get longer pieces: many small events cost the client more than they show."""

PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def event(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps({"type": name, **fields}))


def start(message: dict[str, Any]) -> bytes:
    """The first event: the message without content, end or output."""
    usage = {**message["usage"], "output_tokens": min(1, message["usage"]["output_tokens"])}
    opened = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    opened.pop("context_management", None)
    usage.pop("iterations", None)
    if message["content"] and message["content"][0]["type"] == "fallback":
        opened["model"] = message["content"][0]["from"]["model"]
    return event("message_start", {"message": {**opened, "usage": usage}}) + PING


def blocks(message: dict[str, Any]) -> list[bytes]:
    """The events of the content blocks, in order."""
    events: list[bytes] = []
    for index, block in enumerate(message["content"]):
        opened, deltas = _deltas(block)
        events.append(event("content_block_start", {"index": index, "content_block": opened}))
        events += [event("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
        events.append(event("content_block_stop", {"index": index}))
    return events


def end(message: dict[str, Any]) -> bytes:
    """The last two events: why it stopped, and the full usage."""
    delta = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details", "container")}
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens",
             "output_tokens_details", "server_tool_use")  # fmt: skip
    usage = {name: message["usage"][name] for name in (*names, "iterations") if name in message["usage"]}
    more = {"context_management": message["context_management"]} if "context_management" in message else {}
    return event("message_delta", {"delta": delta, "usage": usage, **more}) + event("message_stop", {})


def error(body: bytes) -> bytes:
    """An error inside a stream that began well; `body` is the API's error body."""
    return b"event: error\ndata: %b\n\n" % body


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The block as it opens, and what is then added to it."""
    if block["type"] == "thinking":
        pieces = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*pieces, signature]
    if block["type"] in ("tool_use", "server_tool_use", "mcp_tool_use"):
        text = orjson.dumps(block["input"]).decode()
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(text))]
        return {**block, "input": {}}, deltas
    if block["type"] == "compaction":
        delta = {name: block[name] for name in ("content", "encrypted_content")}
        return {**block, "content": None}, [{"type": "compaction_delta", **delta}]
    if block["type"] != "text":
        return block, []  # results and fallback blocks come whole
    deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
    cited = [{"type": "citations_delta", "citation": citation} for citation in block["citations"] or ()]
    return {**block, "text": "", "citations": [] if cited else None}, [*deltas, *cited]


def _pieces(text: str) -> list[str]:
    size = max(PIECE_CHARACTERS, -(-len(text) // MAX_PIECES))
    return [text[at : at + size] for at in range(0, len(text), size)]
