"""JSON of a reply → values. What a gateway wrote carelessly is read all the same, for it was paid for. Pure.

Read beside strict JSON: a byte order mark, bytes that are no UTF-8, raw control characters, NaN, and halves of UTF-16
pairs as `\\ud83d`, which gateways write that cut text by UTF-16 units.
"""

from __future__ import annotations

import json

import orjson

from runner.records import Json


def json_of(written: bytes) -> Json:
    """The value, which can be written as UTF-8. Raises ValueError for what is not JSON."""
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError:
        return whole(loose_json(written.decode("utf-8", "replace")))


def loose_json(text: str) -> Json:
    """The value; it may hold lone halves of UTF-16 pairs (see `whole`). Raises ValueError for what is not JSON."""
    try:
        return json.loads(text.removeprefix("\ufeff"), strict=False, parse_constant=lambda name: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def whole(value: Json) -> Json:
    """The same value with UTF-16 pairs joined and lone halves replaced."""
    if isinstance(value, dict):
        return {whole(key): whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return whole_text(value) if isinstance(value, str) else value


def whole_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
