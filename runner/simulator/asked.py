"""A validated request with what its reply depends on. Pure: the same body is the same question."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from runner.simulator.caching import NO_CACHE, CacheUse
from runner.simulator.markers import last_user_text, markers
from runner.simulator.tokens import input_tokens


@dataclass(frozen=True)
class Asked:
    """seed: from the canonical body. breakpoints: whether it has any. at: when it came, seconds since 1970.

    input_tokens: of the whole prompt, cached or not. cache: what of it is read from the cache and written to it.
    """

    body: dict[str, Any]
    hash: str
    text: str
    markers: dict[str, str]
    input_tokens: int
    seed: int = field(repr=False, default=0)
    breakpoints: bool = False
    cache: CacheUse = NO_CACHE
    at: float = 0.0

    @property
    def model(self) -> str:
        model: str = self.body["model"]
        return model

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))


def canonical(body: dict[str, Any]) -> bytes:
    """The body as sorted JSON without `stream`, so that both ways of asking are answered alike."""
    return orjson.dumps({name: value for name, value in body.items() if name != "stream"}, option=orjson.OPT_SORT_KEYS)


def read(body: dict[str, Any], at: float = 0.0) -> Asked:
    """What a validated body asks."""
    raw = canonical(body)
    digest = hashlib.sha256(raw).hexdigest()
    text = last_user_text(body)
    marked = b'"cache_control"' in raw
    return Asked(body, digest, text, markers(text), input_tokens(body), int(digest[:16], 16), marked, at=at)
