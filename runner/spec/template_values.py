"""What a template's value becomes: JSON when it stands alone, text when it stands inside text.

Strings render as they are, numbers and booleans as JSON, lists and maps as compact JSON; null inside text is a
fault. Walking is bounded, so that a value built to explode (lists holding themselves twice, sixty times over)
fails instead. Nothing here knows Jinja's syntax, files or positions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined
from markupsafe import Markup

from runner.records import Json

MAX_TEXT: Final = 32 * 1024 * 1024
"""Bytes of one rendered field; also the API's limit for a whole Messages body."""
MAX_ITEMS: Final = 500_000
"""Of one value: more than a context window of a million tokens takes as JSON."""
MAX_DEPTH: Final = 100
MAX_INTEGER_BITS: Final = 4096


class Fault(Exception):
    """A template went wrong in a way we name ourselves; `template_errors` adds the position."""

    def __init__(self, rule: str, what: str, next: str = "") -> None:
        super().__init__(what)
        self.rule = rule
        self.what = what
        self.next = next


def too_large(what: str) -> Fault:
    return Fault("template-too-large", what, "make the text smaller; a rendered field may hold 32 MB")


def within_bytes(text: str) -> str:
    """The text, if its UTF-8 is no larger than a field may be."""
    if len(text) * 4 > MAX_TEXT and len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise too_large("the text has more than 32 MB")
    return text


def to_text(value: Any) -> str:
    """The value as it stands inside text; raises Fault for null and for what is no JSON value."""
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Undefined):
        return str(value)  # a strict one raises; the empty one of an `if` without `else` is ""
    if value is None:
        raise Fault("template-null", "the value is null", "write `| default('')`, or give the value")
    text = to_json_text(value)
    if len(text) > MAX_TEXT:
        raise too_large("the value is more than 32 MB of JSON")
    return text


def to_json_text(value: Any, indent: int | None = None) -> str:
    """Compact JSON without HTML escapes, non-ASCII kept; `indent` spaces a level when given."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(to_json(value), ensure_ascii=False, allow_nan=False, separators=separators, indent=indent)


def to_json(value: Any) -> Json:
    """The value as plain JSON types: tuples, views and generators become lists, other maps dicts."""
    if type(value) in _PLAIN:
        return value
    return _Walk().plain(value, 0)


_PLAIN: Final = frozenset((str, bool, type(None)))


class _Walk:
    """One bounded walk over a value; counts what it has seen."""

    def __init__(self) -> None:
        self.items = 0
        self.characters = 0

    def plain(self, value: Any, depth: int) -> Json:
        self.items += 1
        if self.items > MAX_ITEMS or depth > MAX_DEPTH:
            raise too_large(f"the value holds more than {MAX_ITEMS:,} items or {MAX_DEPTH} levels")
        if type(value) is list:  # before anything slower: a bomb is made of these
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return _number(value)
        if isinstance(value, Mapping):
            return {_key(key): self.plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, Undefined):
            return str(value)
        if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
            return [self.plain(item, depth + 1) for item in value]
        raise Fault("template-error", f"{kind_of(value)} cannot be written into a request")

    def _text(self, value: str) -> str:
        self.characters += len(value)
        if self.characters > MAX_TEXT:
            raise too_large("the value holds more than 32 MB of text")
        return str.__str__(value)


def _number(value: int | float) -> int | float:
    if isinstance(value, float):
        if not isfinite(value):
            raise Fault("template-error", f"{value} is not a JSON number")
        return value
    if value.bit_length() > MAX_INTEGER_BITS:
        raise too_large("the number has more than 1,200 digits")
    return value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise Fault("template-error", f"a map's key must be text, not {kind_of(key)}")


_KINDS: Final = (
    (StrictUndefined, "an undefined value"),
    (Markup, "a text"),
    (str, "a text"),
    (bool, "a boolean"),
    ((int, float), "a number"),
    (Mapping, "a map"),
    ((list, tuple), "a list"),
)


def kind_of(value: Any) -> str:
    """What a person calls it: `a text`, `a list`, `null`."""
    if value is None:
        return "null"
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"
