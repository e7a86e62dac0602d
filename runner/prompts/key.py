"""The key of a request: equal keys mean the same question, so that no answer is paid for twice.

sha256 over canonical JSON of `{"v": 1, service, betas sorted, body, repeat}`, where the body is what determines
the answer: no cache_control, stream, diagnostics, metadata or `fallbacks: default`. Keys outlive the program: a
change here makes every answer ever paid for look new, so `v` must change with it. The parts of a key say what changed
when a key did: each is a short hash of some of the same values, and together they cover all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any, Final

import orjson

from runner.records import Json

PARTS: Final = ("model", "system", "prompt", "parameters")
"""What a request is made of, for people who want to know why it changed.

prompt: messages, turns and attachments. parameters: all the rest: tools, thinking, effort, output, betas, the service.
"""

PART_BYTES: Final = 6
_NOT_ASKED: Final = ("stream", "diagnostics", "metadata")
_QUESTION: Final = ("messages", "turns", "variables")
_NAMED_PARTS: Final = frozenset({"model", "system", *_QUESTION})
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


def key_and_parts(
    service: str, betas: Collection[str], body: Mapping[str, Json], repeat: int
) -> tuple[str, dict[str, str]]:
    """The key in 64 hex digits, and a hash of 12 of each of `PARTS`. Raises NotJson.

    service: `anthropic`, or that and the origin of another base_url.
    """
    asked = {name: value for name, value in body.items() if name not in _NOT_ASKED}
    if asked.get("fallbacks") == "default":  # what a spec asks that says nothing of fallbacks
        del asked["fallbacks"]
        betas = [beta for beta in betas if not beta.startswith("server-side-fallback-")]
    whole = {"v": 1, "service": service, "betas": sorted(betas), "body": asked, "repeat": repeat}
    text = canonical_json(whole)
    if _CACHE_MARK in text:  # in JSON only a key or a whole string: quotes inside a string are escaped
        whole = _uncached(whole)
        text = canonical_json(whole)
    return sha256(text).hexdigest(), _parts(whole)


def _parts(whole: Mapping[str, Any]) -> dict[str, str]:
    body = whole["body"]
    rest = {name: value for name, value in body.items() if name not in _NAMED_PARTS}
    question = {name: body[name] for name in _QUESTION if name in body}
    return {
        "model": _part(body, "model"),
        "system": _part(body, "system"),
        "prompt": _short(canonical_json(question)),
        "parameters": _hash_of_bytes(canonical_json([whole["service"], whole["betas"], whole["repeat"], rest])),
    }


def _part(body: Mapping[str, Json], name: str) -> str:
    value = body.get(name)
    return _hash_of_text(value) if isinstance(value, str) else _short(canonical_json([value] * (name in body)))


def _short(text: bytes) -> str:
    return blake2b(text, digest_size=PART_BYTES).hexdigest()


@lru_cache(maxsize=16)
def _hash_of_text(text: str) -> str:
    """What every row has in common is hashed once: the text is the same object, and Python keeps its hash."""
    return _short(canonical_json(text))


_hash_of_bytes: Final = lru_cache(maxsize=16)(_short)


def _uncached(value: Json) -> Json:
    """The value without its breakpoints. What a schema calls `cache_control` is none: its type is another."""
    if isinstance(value, dict):
        return {name: _uncached(item) for name, item in value.items() if not (name == _CACHE and _is_mark(item))}
    return [_uncached(item) for item in value] if isinstance(value, (list, tuple)) else value


def _is_mark(value: Json) -> bool:
    return isinstance(value, dict) and value.get("type") == "ephemeral"


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
