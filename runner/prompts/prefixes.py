"""Where the cached prefix of a body may end, and a hash of everything before each such place. Pure; reads no plan.

A prefix runs through tools, then system, then messages; equal hashes mean that the API would find the same prefix.
What breaks each level is hashed in front of it:
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#what-invalidates-the-cache
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from typing import Any, Final

from runner.models.caching import least_tokens
from runner.models.text_size import BYTES_PER_TOKEN
from runner.prompts.key import canonical_json
from runner.prompts.media_source import FILE
from runner.records import Json, PrefixEnd

MOST_ENDS: Final = 64
"""Ends further back in a very long conversation are not looked at: what rows share stands in front."""

ATTACHMENT_TOKENS: Final = 1_500
"""About what an image or a page costs, whatever the size of its bytes."""

_HARMLESS: Final = frozenset(
    {
        "max_tokens", "stop_sequences", "metadata", "service_tier", "stream", "diagnostics", "cache_control",
        "temperature", "top_p", "top_k", "output_config", "tools", "system", "messages",
        "speed", "thinking", "tool_choice",
    }
)  # fmt: skip
"""Fields that break no prefix, and those that are looked at by themselves; any other field counts as breaking all."""

_MESSAGES: Final = b'["messages",'
_ATTACHMENTS: Final = ("image", "document")
_REMEMBERED: Final = 256
_REMEMBERED_CHARACTERS: Final = 4_000_000


class Prefixes:
    """Finds the ends of many bodies; texts that come again and again are hashed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, str], tuple[bytes, int]] = {}
        self._characters = 0

    def long_enough(
        self, body: Mapping[str, Json], bytes_in_all: int, betas: Collection[str] = ()
    ) -> tuple[PrefixEnd, ...]:
        """The ends that the model could cache: those behind its minimum, and not the body's own last block."""
        least = least_bytes(body["model"])
        if bytes_in_all < least and not _may_attach(body):
            return ()
        return tuple(end for end in self.all(body, betas) if end.size >= least and end.place != last_place(body))

    def all(self, body: Mapping[str, Json], betas: Collection[str] = ()) -> Iterator[PrefixEnd]:
        """Every end, the shortest prefix first: the last tool, each system block, each block of the messages."""
        digest, size, count = _start(body, betas), 0, 0
        asks_one = _asks_one(body)
        for level, place, piece in pieces(body):
            if asks_one and level is not None and level.startswith(_MESSAGES):
                return  # its only block is the last one
            if level is not None:
                digest = _hash(digest, level)
            if place is None:
                continue
            digest, length = self._next(digest, piece)
            size += length
            if place[0] == "tools" and place[1] != len(body["tools"]) - 1:
                continue
            count += 1
            yield PrefixEnd(int.from_bytes(digest[:8], "big", signed=True), size, place)
            if count >= MOST_ENDS:
                return

    def _next(self, digest: bytes, piece: Json) -> tuple[bytes, int]:
        """The hash behind a piece, and about how many bytes the piece has."""
        text = _only_text(piece)
        if text is None:
            return _hash(digest, canonical_json(_unmarked(piece))), _size(piece)
        known = self._known.get((digest, text))
        if known is None:
            data = text.encode("utf-8", "surrogatepass")
            known = _hash(digest, b"text" + data), len(data)
            self._remember(digest, text, known)
        return known

    def _remember(self, digest: bytes, text: str, made: tuple[bytes, int]) -> None:
        self._characters += len(text)
        if len(self._known) >= _REMEMBERED or self._characters > _REMEMBERED_CHARACTERS:
            self._known.clear()
            self._characters = len(text)
        self._known[digest, text] = made


@cache
def least_bytes(model: str) -> float:
    """The shortest prefix that the model caches, in bytes of text; an estimate."""
    return least_tokens(model)[0] * BYTES_PER_TOKEN


def last_place(body: Mapping[str, Json]) -> tuple[str | int, ...]:
    """The place of the last block: a prefix that ends there is the whole request."""
    messages = body["messages"]
    if not messages:
        return ()
    content, at = messages[-1]["content"], len(messages) - 1
    return ("messages", at) if isinstance(content, str) else ("messages", at, len(content) - 1)


def _asks_one(body: Mapping[str, Json]) -> bool:
    return len(body["messages"]) == 1 and isinstance(body["messages"][0]["content"], str)


def _may_attach(body: Mapping[str, Json]) -> bool:
    """Whether there may be an image or a document, whose tokens its bytes do not tell."""
    return any(not isinstance(message["content"], str) for message in body["messages"])


def _start(body: Mapping[str, Json], betas: Collection[str]) -> bytes:
    """Of what breaks every level: model, betas, and fields that nobody has said to be harmless."""
    others = {name: value for name, value in body.items() if name not in _HARMLESS}
    return _hash(b"", canonical_json([sorted(betas), others]))


def pieces(body: Mapping[str, Json]) -> Iterator[tuple[bytes | None, tuple[str | int, ...] | None, Json]]:
    """(what the level that begins here depends on, place of a block, the block), in the order of the cache.

    A place is steps into the body; `("system",)` and `("messages", 0)` when the text there is a plain string.
    """
    for at, tool in enumerate(body.get("tools") or ()):
        yield None, ("tools", at), tool
    config = body.get("output_config") or {}
    blocks = list(_blocks(body))
    yield canonical_json(["system", body.get("speed"), config.get("format"), any(map(_cites, blocks))]), None, None
    for place, block in _content(("system",), body.get("system") or ()):
        yield None, place, block
    effort, images = config.get("effort"), any(block.get("type") == "image" for block in blocks)
    yield canonical_json(["messages", body.get("tool_choice"), body.get("thinking"), effort, images]), None, None
    for at, message in enumerate(body["messages"]):
        level: bytes | None = b"role " + message["role"].encode()
        for place, block in _content(("messages", at), message["content"]):
            yield level, place, block
            level = None


def _content(place: tuple[str | int, ...], content: Json) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    if isinstance(content, str):
        yield place, content
    else:
        yield from (((*place, at), block) for at, block in enumerate(content))


def _blocks(body: Mapping[str, Json]) -> Iterator[Mapping[str, Any]]:
    for message in body["messages"]:
        if not isinstance(message["content"], str):
            yield from message["content"]


def _cites(block: Mapping[str, Any]) -> bool:
    return bool((block.get("citations") or {}).get("enabled")) if block.get("type") != "text" else False


def _only_text(piece: Json) -> str | None:
    """The text of a block that is nothing but text; a string is short for one."""
    if isinstance(piece, str):
        return piece
    plain = piece.get("type") == "text" and piece.keys() <= {"type", "text", "cache_control"}
    return piece["text"] if plain else None


def _unmarked(piece: Mapping[str, Json]) -> Mapping[str, Json]:
    return {name: value for name, value in piece.items() if name != "cache_control"}


def _size(piece: Mapping[str, Any]) -> int:
    source = piece.get("source")
    if isinstance(source, Mapping) and source.get("type") == FILE and source["media_type"] == "text/plain":
        return int(source["size"])
    if piece.get("type") in _ATTACHMENTS and not (
        isinstance(source, Mapping) and source.get("type") in ("text", "content")
    ):
        return round(ATTACHMENT_TOKENS * BYTES_PER_TOKEN)
    return len(canonical_json(_unmarked(piece)))


def _hash(before: bytes, piece: bytes) -> bytes:
    return blake2b(before + len(piece).to_bytes(8, "big") + piece, digest_size=16).digest()
