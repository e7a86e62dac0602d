"""Asks jsonschema about schemas that authors write, and about replies that have to fit them.

Never fetches anything: a `$ref` finds only what stands in the schema itself. `format` is not checked, since what
checks it depends on what happens to be installed. Replies are hostile: work on each is bounded.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from runner.records import Json
from runner.spec.document import Path, path_text

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

LONGEST_FOR_PATTERN: Final = 10_000
MOST_REFERENCES: Final = 100_000
"""Followed for one reply, some seconds of work. Branches that refer to each other need twice as many a level."""
ERRORS_SHOWN: Final = 5
_ERRORS_COUNTED: Final = 100
_MESSAGE: Final = 240
_VALUE: Final = 80
_TYPES: Final = ("string", "integer", "number", "boolean", "object", "array", "null")


class _TooLong(Exception):
    """The schema leads to more work on this value than is worth waiting for."""


class ReplyChecker:
    """Checks replies against one schema, which `output_rules` found nothing wrong with."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        from referencing import Registry  # jsonschema takes 0.1 s, and most commands check no reply

        empty: Registry[Any] = Registry()
        self._references = 0
        self._validator = self._bounded(_dialect(schema))(schema, registry=empty)

    def errors(self, value: Json) -> tuple[str, ...]:
        """`output.label: what is wrong`, the first of them and how many more there are; () when the value fits."""
        from referencing.exceptions import Unresolvable

        self._references = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of patterns in which `[[` means today what it says
                found = list(islice(self._validator.iter_errors(value), _ERRORS_COUNTED))
        except RecursionError:
            return ("output: it is nested too deeply to be checked",)
        except _TooLong:
            return ("output: it takes too long to be checked",)
        except Unresolvable:  # where an old draft hides a reference from `output_rules`: the reply has been paid for
            return ("output: a reference in the schema leads nowhere",)
        lines = list(dict.fromkeys(_line(error) for error in sorted(found, key=_place)))
        more = len(lines) - ERRORS_SHOWN
        return (*lines[:ERRORS_SHOWN], *((f"… and {more} more",) if more > 0 else ()))

    def _bounded(self, draft: Any) -> Callable[..., Validator]:
        """The draft, with `pattern` looking at no text that is too long for it, and `$ref` not followed for ever."""
        from jsonschema import ValidationError, validators

        matches, follows = draft.VALIDATORS["pattern"], draft.VALIDATORS["$ref"]

        def pattern(validator: Any, wanted: str, value: Json, schema: Json) -> Iterable[ValidationError]:
            if isinstance(value, str) and len(value) > LONGEST_FOR_PATTERN:
                yield ValidationError(f"it has {len(value):,} characters, too many for a `pattern`")
                return
            yield from matches(validator, wanted, value, schema) or ()

        def reference(validator: Any, wanted: str, value: Json, schema: Json) -> Iterable[ValidationError]:
            self._references += 1
            if self._references > MOST_REFERENCES:
                raise _TooLong
            return follows(validator, wanted, value, schema) or ()

        extend: Callable[..., Callable[..., Validator]] = validators.extend
        return extend(draft, {"pattern": pattern, "$ref": reference})


def schema_faults(schema: Mapping[str, Json]) -> list[tuple[Path, str]]:
    """Where a schema is no JSON Schema, and why. Its own `$schema` says of which draft; 2020-12 without one."""
    draft = _dialect(schema)
    try:
        found = sorted(draft(draft.META_SCHEMA).iter_errors(schema), key=_place)
    except RecursionError:
        return [((), "it is nested too deeply")]
    return list(dict.fromkeys(map(_fault, found)))


def knows_dialect(name: Json) -> bool:
    """Whether this `$schema` is a draft that replies can be checked by: 4 and later, whose references can be found."""
    from jsonschema import validators

    unknown: Any = object()
    refused = (unknown, validators.Draft3Validator)
    return isinstance(name, str) and validators.validator_for({"$schema": name}, default=unknown) not in refused


def _dialect(schema: Mapping[str, Json]) -> Any:
    from jsonschema import validators

    return validators.validator_for(schema, default=validators.Draft202012Validator)


def _fault(error: Any) -> tuple[Path, str]:
    if error.absolute_path and error.absolute_path[-1] == "type":  # else jsonschema speaks of branches
        return tuple(error.absolute_path), f"a `type` is one of {', '.join(_TYPES)}, or a list of them"
    best = _deepest(error)
    return tuple(best.absolute_path), _words(best)


def _place(error: Any) -> tuple[tuple[str, ...], str]:
    return tuple(map(str, error.absolute_path)), error.message


def _deepest(error: Any) -> Any:
    """Of an error in every branch, the one in the branch that was meant, as far as one can tell."""
    from jsonschema.exceptions import best_match

    return best_match(iter((error,)))


def _line(error: Any) -> str:
    best = _deepest(error)
    place = " ".join(path_text(("output", *best.absolute_path)).split())  # keys are the model's
    return f"{_short(place, _MESSAGE)}: {_words(best)}"


def _words(error: Any) -> str:
    """jsonschema's own, on one line, but with the value as JSON in backticks: what differs from row to row."""
    value = repr(error.instance)
    if not error.message.startswith(value):
        return _short(error.message, _MESSAGE)
    shown = json.dumps(error.instance, ensure_ascii=False).replace("`", "'")
    return f"`{_short(shown, _VALUE)}`{_short(error.message[len(value) :], _MESSAGE)}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
