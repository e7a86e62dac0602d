"""What a row's values may be: JSON that every later reader can carry. No I/O.

JSON text is read more strictly than Python does: a repeated key, NaN and numbers that do not fit would be
changed silently, so they are faults. https://www.rfc-editor.org/rfc/rfc8259 (sections 4, 6 and 8.2)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from runner.records import Json

MAX_DEPTH: Final = 100
_INTEGERS: Final = range(-(2**63), 2**64)  # what JSON writers of 64-bit languages, orjson among them, carry exactly

_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Expecting value": "a value is expected here",
        "Expecting property name": "a key in double quotes is expected here",
        "Expecting ':'": "`:` is expected here",
        "Expecting ','": "`,` or a closing bracket is expected here",
        "Illegal trailing comma": "a comma stands before a closing bracket",
        "Unterminated string": "this string is never closed",
        "Invalid control character": "a control character in a string must be escaped",
        "Invalid \\": "this escape is not JSON",
    }
)


class StrictJson:
    """A JSON decoder that reports what Python's would let pass; one object serves many values, one at a time."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._float,
            parse_int=self._integer,
            parse_constant=self._constant,
        )

    def decode(self, text: str, at: int = 0) -> tuple[Json, int, str | None]:
        """The value that starts at `at`, where it ends, and what is wrong with it or None.

        Raises json.JSONDecodeError when it is not JSON; RecursionError when it is nested beyond all bounds.
        """
        self._faults.clear()
        value, end = self._decoder.raw_decode(text, at)
        fault = self._faults[0] if self._faults else None
        if fault is None and _suspicious(text, at, end):
            fault = _value_fault(value)
        return value, end, fault

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            self._faults.append(f"the key `{_repeated(pairs)}` stands twice in one object")
        return made

    def _float(self, text: str) -> float:
        number = float(text)
        if math.isinf(number):
            self._faults.append(f"the number {text[:40]} is too large")
        return number

    def _integer(self, text: str) -> int:
        number = int(text) if len(text) <= 20 else None
        if number is None or number not in _INTEGERS:
            self._faults.append(_too_large(text))
        return number or 0

    def _constant(self, text: str) -> None:
        self._faults.append(f"`{text}` is not JSON")


def json_reason(error: json.JSONDecodeError) -> str:
    """Why text is not JSON, in our words: Python's differ between its versions."""
    return next(
        (ours for start, ours in _REASONS.items() if error.msg.startswith(start)), "it cannot be read from here"
    )


def _value_fault(value: Json) -> str | None:
    """A lone surrogate or too deep nesting anywhere in a decoded value, or None."""
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            return f"it is nested deeper than {MAX_DEPTH} levels"
        if isinstance(item, dict):
            pending += [(part, depth + 1) for part in (*item.keys(), *item.values())]
        elif isinstance(item, list):
            pending += [(part, depth + 1) for part in item]
        elif isinstance(item, str) and (fault := _surrogate(item)):
            return fault
    return None


def _suspicious(text: str, at: int, end: int) -> bool:
    """Whether the text may hold an escaped lone surrogate or deep nesting: only then is the value walked."""
    return text.find("\\u", at, end) >= 0 or text.count("[", at, end) + text.count("{", at, end) > MAX_DEPTH


def _surrogate(text: str) -> str | None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"`\\u{ord(text[error.start]):04x}` is half of a surrogate pair"
    return None


def _too_large(text: str) -> str:
    return f"the integer {text[:40]}{'…' * (len(text) > 40)} does not fit in 64 bits"


def _repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # set.add
