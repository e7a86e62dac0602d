"""Sizes, worked out before anything is made: what `'a' * 10**9`, a padding width or a power would come to.

Each guard raises `Fault("template-too-large")` when its operation could make more than 32 MB of text, half a million
items or a number of thousands of digits. A template is code and may still be slow; these bounds are for accidents
and for hostile row values, which can choose widths, counts and patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from runner.spec.template_values import MAX_INTEGER_BITS, MAX_ITEMS, MAX_TEXT, to_text, too_large

_CONVERSION: Final = re.compile(r"%(?:\([^)]*\))?[^a-zA-Z%]*[a-zA-Z%]")
_DIGITS: Final = re.compile(r"\d+")


def text_size(size: int) -> None:
    if size > MAX_TEXT:
        raise too_large("the text would grow beyond 32 MB")


def item_count(count: int) -> None:
    if count > MAX_ITEMS:
        raise too_large(f"the list would grow beyond {MAX_ITEMS:,} items")


def joined(parts: Iterable[Any], separator: str = "") -> str:
    """`separator.join`, each part as it renders in text, stopping as soon as it is too large."""
    texts: list[str] = []
    size = 0
    for part in parts:
        text = part if type(part) is str else to_text(part)
        size += len(text) + len(separator)
        if size > MAX_TEXT:
            text_size(size)
        texts.append(text)
    return separator.join(texts)


# ---------------------------------------------------------------- operators


def multiply(left: Any, right: Any) -> None:
    for one, times in ((left, right), (right, left)):
        if isinstance(one, str) and isinstance(times, int):
            text_size(len(one) * times)
        elif isinstance(one, (list, tuple)) and isinstance(times, int):
            item_count(len(one) * times)
    if isinstance(left, int) and isinstance(right, int):
        _bits(left.bit_length() + right.bit_length())


def add(left: Any, right: Any) -> None:
    if isinstance(left, str) and isinstance(right, str):
        text_size(len(left) + len(right))
    elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        item_count(len(left) + len(right))


def power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        _bits(left.bit_length() * right)


def percent(left: Any, right: Any) -> None:
    """`'%5d' % 1`: the widths it names, and each conversion as long as the longest text it is given."""
    if not isinstance(left, str):
        return
    conversions = _CONVERSION.findall(left)
    widths = sum(_width(digits) for one in conversions for digits in _DIGITS.findall(one.partition(")")[2] or one))
    if any("*" in one for one in conversions):
        raise too_large("a `*` width is not supported; write the width as a number")
    text_size(len(left) + widths + len(conversions) * _longest(right))


def _longest(values: Any) -> int:
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        return max((len(value) for value in values if isinstance(value, str)), default=0)
    return len(values) if isinstance(values, str) else 0


def _bits(bits: int) -> None:
    if bits > MAX_INTEGER_BITS:
        raise too_large("the number would have more than 1,200 digits")


def _width(digits: str) -> int:
    return int(digits) if len(digits) < 10 else MAX_TEXT + 1


OPERATORS: Final[Mapping[str, Callable[[Any, Any], None]]] = {"*": multiply, "+": add, "**": power, "%": percent}


# ---------------------------------------------------------------- methods of strings


def padded(text: str, width: Any = 0, *_: Any) -> None:
    text_size(max(len(text), _count(width)))


def expanded(text: str, tabsize: Any = 8) -> None:
    text_size(len(text) + text.count("\t") * _count(tabsize))


def replaced(text: str, old: Any = "", new: Any = "", *_: Any, **__: Any) -> None:
    old, new = str(old), str(new)
    times = text.count(old) if old else len(text) + 1
    text_size(len(text) + times * max(0, len(new) - len(old)))


def _count(number: Any) -> int:
    return number if isinstance(number, int) else 0


METHODS: Final[Mapping[str, Callable[..., None]]] = {
    "center": padded,
    "ljust": padded,
    "rjust": padded,
    "zfill": padded,
    "expandtabs": expanded,
    "replace": replaced,
}


def format_spec(spec: str) -> int:
    """The characters that a `str.format` spec such as `>10` may add."""
    return sum(_width(digits) for digits in _DIGITS.findall(spec))
