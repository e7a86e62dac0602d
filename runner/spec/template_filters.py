"""The filters and methods that differ from Jinja's own: bounded, JSON instead of Python's spelling, no randomness.

Everything that is not here is Jinja's. Nothing here reads files or knows positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Final

from jinja2 import Undefined, filters, pass_environment
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment, SandboxedFormatter

from runner.spec import template_bounds as bounds
from runner.spec.template_values import Fault, to_json_text, to_text

LEFT_OUT: Final = ("random", "pprint", "xmlattr", "urlize")
"""Not deterministic, Python's spelling, or only of use in HTML pages."""


def default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """The value, or another for one that is undefined or null (Jinja's own leaves null alone)."""
    if isinstance(value, Undefined) or value is None or (boolean and not value):
        return default_value
    return value


def tojson(value: Any, indent: int | None = None) -> str:
    """Compact JSON, `<` and `é` as they are; `indent` from 0 to 8 spaces."""
    if indent is not None and not (isinstance(indent, int) and 0 <= indent <= 8):
        raise Fault("template-error", "`tojson` takes an indent from 0 to 8")
    text = to_json_text(value, indent)
    bounds.text_size(len(text))
    return text


@pass_environment
def join(environment: SandboxedEnvironment, value: Any, d: Any = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = map(filters.make_attrgetter(environment, attribute), value)
    return bounds.joined(value, to_text(d))


def format_percent(value: Any, *args: Any, **kwargs: Any) -> str:
    """`'%s: %d' | format(name, count)`."""
    if args and kwargs:
        raise Fault("template-error", "`format` takes values by place or by name, not both")
    text = to_text(value)
    bounds.percent(text, kwargs or args)
    return text % (kwargs or args)


def center(value: Any, width: int = 80) -> str:
    text = to_text(value)
    bounds.padded(text, width)
    return text.center(width)


def indent(value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = to_text(value)
    size = len(width) if isinstance(width, str) else width
    bounds.text_size(len(text) + (text.count("\n") + 1) * size)
    return filters.do_indent(text, width, first, blank)


def replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = to_text(value), to_text(old), to_text(new)
    bounds.replaced(text, old, new)
    return text.replace(old, new, -1 if count is None else count)


@pass_environment
def wordwrap(
    environment: SandboxedEnvironment,
    s: Any,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> str:
    text = to_text(s)
    bounds.text_size(len(text) * len(wrapstring or "\n"))
    return filters.do_wordwrap(environment, text, width, break_long_words, wrapstring, break_on_hyphens)


def batch(value: Any, linecount: int, fill_with: Any = None) -> list[Any]:
    bounds.item_count(linecount)
    return list(filters.do_batch(value, linecount, fill_with))


def slice_(value: Any, slices: int, fill_with: Any = None) -> list[Any]:
    bounds.item_count(slices)
    return list(filters.sync_do_slice(value, slices, fill_with))


def round_(value: float, precision: int = 0, method: Any = "common") -> float:
    if not (isinstance(precision, int) and -300 <= precision <= 300):
        raise Fault("template-error", "`round` takes a precision from -300 to 300")
    return filters.do_round(value, precision, method)


OURS: Final[Mapping[str, Callable[..., Any]]] = {
    "default": default,
    "d": default,
    "string": to_text,
    "tojson": tojson,
    "join": join,
    "format": format_percent,
    "center": center,
    "indent": indent,
    "replace": replace,
    "wordwrap": wordwrap,
    "batch": batch,
    "slice": slice_,
    "round": round_,
}


# ---------------------------------------------------------------- methods

_STRING_METHODS: Final = """
capitalize casefold center count endswith expandtabs find format format_map index isalnum isalpha isascii isdecimal
isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip partition
removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip
swapcase title upper zfill
"""
STRING_METHODS: Final = frozenset(_STRING_METHODS.split())
LIST_METHODS: Final = frozenset(("count", "index", "copy"))
MAP_METHODS: Final = frozenset(("get", "items", "keys", "values", "copy"))


def bounded_method(text: str, name: str, method: Callable[..., Any], environment: SandboxedEnvironment) -> Any:
    """A string's method that checks what it would make first; the same method when it can only shrink or copy."""
    if name == "join":
        return lambda parts: bounds.joined(parts, text)
    if name in ("format", "format_map"):
        return _str_format(text, environment, is_map=name == "format_map")
    check = bounds.METHODS.get(name)
    if check is None:
        return method

    def bounded(*args: Any, **kwargs: Any) -> Any:
        check(text, *args, **kwargs)
        return method(*args, **kwargs)

    return bounded


def _str_format(text: str, environment: SandboxedEnvironment, *, is_map: bool) -> Callable[..., str]:
    def formatted(*args: Any, **kwargs: Any) -> str:
        formatter = _BoundedFormatter(environment)
        return formatter.vformat(text, () if is_map else args, args[0] if is_map else kwargs)

    return formatted


class _BoundedFormatter(SandboxedFormatter, Formatter):
    """Python's format strings with the sandbox's attribute access, widths counted before they are made."""

    size = 0

    def format_field(self, value: Any, format_spec: str) -> str:
        bounds.text_size(self.size + bounds.format_spec(format_spec))
        text = to_text(value) if not format_spec else str(super().format_field(value, format_spec))
        self.size += len(text)
        bounds.text_size(self.size)
        return text

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion in ("r", "a"):
            raise Fault("template-error", f"`!{conversion}` in a format string is Python's spelling; write `tojson`")
        return super().convert_field(value, conversion)


def may_use(obj: Any, name: str) -> bool:
    """Whether a template may take this attribute of a plain value; Jinja's own helpers are not judged here."""
    if isinstance(obj, str):
        return name in STRING_METHODS
    if isinstance(obj, (list, tuple)):
        return name in LIST_METHODS
    if isinstance(obj, Mapping) and not isinstance(obj, Context):
        return name in MAP_METHODS
    return type(obj).__module__.startswith("jinja2.")
