"""What a plain scalar means: promptrun's own rules instead of YAML 1.1's, so that `no` and `010` stay text.

Pure functions on text; knows nothing of files or positions.
"""

from __future__ import annotations

import math
import re
from typing import Any

from runner.errors import SpecError

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SMALLEST, _GREATEST = -(2**63), 2**64 - 1
_DIGITS = 21  # a sign and the 20 digits of 2**64 - 1


def parse_scalar(text: str) -> Any:
    """The value of an unquoted scalar: None, bool, int, float or the text itself.

    Used for plain YAML scalars and for the values of `--set` and `--var`. Raises SpecError(rule="number-range")
    for a number that JSON readers could not carry (beyond 64 bits, or a float beyond its range).
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def _integer(text: str) -> int:
    if len(text) > _DIGITS or not _SMALLEST <= int(text) <= _GREATEST:
        raise _too_big(text)
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _too_big(text)
    return value


def _too_big(text: str) -> SpecError:
    shown = text if len(text) <= 30 else f"{text[:27]}..."
    return SpecError(
        f"the number `{shown}` does not fit into 64 bits", rule="number-range", next="quote it to keep it as text"
    )
