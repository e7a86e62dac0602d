"""The prompt cache: which beginning of a request was seen before, what it writes, and until when that can be read.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching: a prefix runs through tools, then system, then
messages. Entries are written at breakpoints only; a request with a breakpoint reads the longest entry that ends there
or at one of the 19 blocks before. An entry lives five minutes or an hour after its last use, is the model's own, and
cannot be read before the response that writes it has begun. A prefix shorter than the model's minimum is silently not
cached. What else a level depends on is `_salts`.

Guesses: a breakpoint inside what was read gets an entry of its own for nothing; an entry keeps the longest lifetime
it was ever written with; a refused request writes like any other; a breakpoint inside a tool_result's content neither
counts nor caches anything. Must not touch a socket."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from runner.simulator.catalog import least_cached
from runner.simulator.tokens import MESSAGE_TOKENS, block_tokens, live_messages, tool_tokens

LOOKBACK_BLOCKS = 20
"""How many blocks a breakpoint looks at for an entry, its own block included."""

SECONDS = {"5m": 300.0, "1h": 3600.0}
MOST_ENTRIES = 100_000
"""More than this and the entry unused for longest is forgotten, so that a long simulation does not grow."""


class Position(NamedTuple):
    """The end of a block. tokens: from the beginning of the prompt to here. ttl: of a breakpoint here."""

    digest: bytes
    tokens: int
    ttl: str | None


@dataclass(frozen=True)
class CacheUse:
    """What one request does with the cache, in tokens. entries: digest → seconds of what it writes or uses again."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    entries: tuple[tuple[bytes, float], ...] = ()

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h


NO_CACHE = CacheUse()


class Cache:
    """Every entry written so far. clock: seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # digest → (seconds, ends at)

    def use(self, body: dict[str, Any]) -> CacheUse:
        """What a validated body would read and write now; changes nothing."""
        least = least_cached(body["model"])
        found = positions(body)
        places = [at for at, position in enumerate(found) if position.ttl and position.tokens >= least]
        if not places:
            return NO_CACHE
        hit = self._longest(found, places)
        entries = [] if hit is None else [(found[hit].digest, self._entries[found[hit].digest][0])]
        read = before = 0 if hit is None else found[hit].tokens
        written = {"5m": 0, "1h": 0}
        for digest, tokens, ttl in (found[at] for at in places):
            entries.append((digest, SECONDS[ttl or "5m"]))
            written[ttl or "5m"] += max(0, tokens - before)
            before = max(before, tokens)
        return CacheUse(read, written["5m"], written["1h"], tuple(entries))

    def begin(self, use: CacheUse) -> None:
        """The response begins: what it writes can be read from now on, and what it read lives on."""
        now = self._clock()
        for digest, seconds in use.entries:
            if digest in self._entries:
                seconds = max(seconds, self._entries.pop(digest)[0])
            self._entries[digest] = (seconds, now + seconds)
        while len(self._entries) > MOST_ENTRIES:
            self._entries.popitem(last=False)

    def _longest(self, found: list[Position], places: list[int]) -> int | None:
        """The index in `found` of the longest prefix that can be read."""
        now = self._clock()
        for place in reversed(places):
            for at in range(place, max(-1, place - LOOKBACK_BLOCKS), -1):
                if self._entries.get(found[at].digest, (0.0, 0.0))[1] > now:
                    return at
        return None


def positions(body: dict[str, Any]) -> list[Position]:
    """Every block's end in the order the cache reads them; the top-level cache_control marks the last one."""
    found = list(_walk(body))
    control = body.get("cache_control")
    last = next((at for at in range(len(found) - 1, -1, -1) if found[at].ttl != ""), None)
    if control is not None and last is not None and not found[last].ttl:
        found[last] = found[last]._replace(ttl=control.get("ttl") or "5m")
    return found


def _walk(body: dict[str, Any]) -> Iterator[Position]:
    """A ttl of "" marks a block that cannot carry a breakpoint."""
    tools, system, messages = _salts(body)
    digest, tokens = hashlib.blake2b(tools, digest_size=16), 0
    for tool in body.get("tools") or ():
        tokens += tool_tokens(tool)
        yield _position(digest, tokens, tool)
    digest.update(system)
    if body.get("system"):
        tokens += MESSAGE_TOKENS
        for block in blocks(body["system"]):
            tokens += block_tokens(block)
            yield _position(digest, tokens, block)
    digest.update(messages)
    role = ""
    for message in live_messages(body["messages"]):
        tokens += MESSAGE_TOKENS
        if message["role"] != role:
            role = message["role"]
            digest.update(f"\0role {role}\0".encode())
        for block in blocks(message["content"]):
            tokens += block_tokens(block)
            yield _position(digest, tokens, block)


def blocks(content: Any) -> list[dict[str, Any]]:
    """A string is short for one text block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _position(digest: Any, tokens: int, block: dict[str, Any]) -> Position:
    control = block.get("cache_control")
    plain = {name: value for name, value in block.items() if name != "cache_control"}
    digest.update(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS))
    ttl = None if control is None else control.get("ttl") or "5m"
    if block.get("type") in ("thinking", "redacted_thinking"):
        ttl = ""
    return Position(digest.digest(), tokens, ttl)


def _salts(body: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """What each level depends on beside its blocks; a change breaks that level and those after it.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#what-invalidates-the-cache; the output format
    after /docs/en/build-with-claude/structured-outputs. A guess: server tools count as tool definitions, so that
    switching web search breaks the tools level too, and `thinking.display` breaks nothing.
    """
    config = body.get("output_config") or {}
    thinking = {name: value for name, value in (body.get("thinking") or {}).items() if name != "display"}
    system = [body.get("speed") or "standard", _cites(body), config.get("format"), body.get("mcp_servers")]
    messages = [body.get("tool_choice"), _shows_images(body), thinking, config.get("effort")]
    dump = orjson.OPT_SORT_KEYS
    return body["model"].encode(), orjson.dumps(system, option=dump), orjson.dumps(messages, option=dump)


def _content_blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in body["messages"]:
        if not isinstance(message["content"], str):
            yield from message["content"]


def _cites(body: dict[str, Any]) -> bool:
    """Whether any document's citations are on."""
    citing = (block for block in _content_blocks(body) if block["type"] in ("document", "search_result"))
    return any((block.get("citations") or {}).get("enabled") for block in citing)


def _shows_images(body: dict[str, Any]) -> bool:
    return any(block["type"] == "image" for block in _content_blocks(body))
