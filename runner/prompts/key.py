"""The key of a request: equal keys mean the same question, so that no answer is paid for twice.

sha256 over canonical JSON of `{"v": 1, service, betas sorted, body, repeat}`, where the body is what determines
the answer: no cache_control, stream, diagnostics, metadata or `fallbacks: default`. Keys outlive the program: a
change here makes every answer ever paid for look new, so `v` must change with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Final

import orjson

from runner.records import Json

_NOT_ASKED: Final = ("stream", "diagnostics", "metadata")
_CACHE: Final = "cache_control"
_CACHE_MARK: Final = b'"cache_control"'


class NotJson(ValueError):
    """A value that JSON of 64-bit readers cannot hold: a huge integer, half a character, a key that is no text."""


def json_bytes(value: Json) -> bytes:
    """Compact UTF-8 JSON in the order given. Raises NotJson."""
    return _dumps(value, None)


def canonical_json(value: Json) -> bytes:
    """Compact UTF-8 JSON with sorted keys: equal values give equal bytes. Raises NotJson."""
    return _dumps(value, orjson.OPT_SORT_KEYS)


def request_key(service: str, betas: Collection[str], body: Mapping[str, Json], repeat: int) -> str:
    """64 hex digits. service: `anthropic`, or that and the origin of another base_url. Raises NotJson."""
    asked = {name: value for name, value in body.items() if name not in _NOT_ASKED}
    if asked.get("fallbacks") == "default":  # what a spec asks that says nothing of fallbacks
        del asked["fallbacks"]
        betas = [beta for beta in betas if not beta.startswith("server-side-fallback-")]
    whole = {"v": 1, "service": service, "betas": sorted(betas), "body": asked, "repeat": repeat}
    text = canonical_json(whole)
    if _CACHE_MARK in text:  # in JSON only a key or a whole string: quotes inside a string are escaped
        text = canonical_json(_uncached(whole))
    return sha256(text).hexdigest()


def _uncached(value: Json) -> Json:
    """The value without the key `cache_control` anywhere."""
    if isinstance(value, dict):
        return {name: _uncached(item) for name, item in value.items() if name != _CACHE}
    return [_uncached(item) for item in value] if isinstance(value, (list, tuple)) else value


def _dumps(value: Json, option: int | None) -> bytes:
    try:
        return orjson.dumps(value, option=option)
    except TypeError as error:  # orjson.JSONEncodeError is one
        raise NotJson(_reason(str(error))) from None


def _reason(message: str) -> str:
    if "64-bit" in message:
        return "a number does not fit into 64 bits"
    if "surrogates" in message or "UTF-8" in message:
        return "a text holds half of a character (a lone surrogate)"
    return message
