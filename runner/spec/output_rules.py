"""What is wrong, or not enforceable, in the schema that replies have to fit. Gives problems, changes nothing.

API facts: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.errors import Problem
from runner.records import Json
from runner.spec.document import Path
from runner.spec.json_schema import APPLIED, SAME_VALUE, circle, parts, references, target
from runner.spec.near import listed
from runner.spec.output_file import WrittenSchema
from runner.spec.slow_pattern import NO_PATTERN, is_slow
from runner.spec.structured import ANNOTATIONS, SENT, is_typed, left_over

_REFERENCE: Final = "point into the schema itself: `#/$defs/name`"
_STATIC: Final = "write `$ref` and `#/$defs/name`"
_TEXT_MODE: Final = "or write `mode: text`"
_DYNAMIC: Final = ("$dynamicRef", "$recursiveRef")
_OLD_DRAFT: Final = re.compile(r"draft-04\b")


def schema_problems(schema: WrittenSchema, *, native: bool) -> list[Problem]:
    """native: whether the API is to enforce it. Of a schema that is none, only that is said."""
    faults = list(_no_schema(schema)) or [*_references(schema), *_moving_references(schema)]
    if faults:
        return faults
    found = [*_circles(schema, native), *_slow_patterns(schema)]
    if native and not found:
        found = list(_untyped(schema)) or [*_no_object(schema), *_closed(schema), *_unenforced(schema)]
    return found


def _no_schema(schema: WrittenSchema) -> Iterator[Problem]:
    from runner.spec.reply_schema import knows_dialect, schema_faults  # jsonschema takes 0.1 s

    dialect = schema.value.get("$schema")
    if dialect is not None and not knows_dialect(dialect):
        step = "remove it, or write `https://json-schema.org/draft/2020-12/schema`"
        yield schema.problem("schema-invalid", "this draft of JSON Schema is not known", ("$schema",), next=step)
        return
    for path, what in schema_faults(schema.value):
        yield schema.problem("schema-invalid", f"this is no JSON Schema: {what}", path)


def _references(schema: WrittenSchema) -> Iterator[Problem]:
    for path, reference in references(schema.value).items():
        if target(schema.value, reference) is None:
            elsewhere = not reference.startswith("#")
            what = "leads out of the schema; nothing is fetched" if elsewhere else "leads nowhere in this schema"
            yield schema.problem("schema-ref", f"`{reference[:200]}` {what}", (*path, "$ref"), next=_REFERENCE)


def _moving_references(schema: WrittenSchema) -> Iterator[Problem]:
    """What would lead somewhere else than `_references` looked: a validator finds that out with the first reply."""
    referred = bool(references(schema.value))
    identity = "id" if _OLD_DRAFT.search(str(schema.value.get("$schema"))) else "$id"
    for path, part in parts(schema.value):
        if not isinstance(part, Mapping):
            continue
        for name in _DYNAMIC:
            if name in part:
                yield schema.problem("schema-ref", f"`{name}` is not followed", (*path, name), next=_STATIC)
        if referred and path and isinstance(part.get(identity), str):
            what = f"`{identity}` inside a schema changes where the references in it lead"
            yield schema.problem("schema-ref", what, (*path, identity), next="remove it")


def _circles(schema: WrittenSchema, native: bool) -> Iterator[Problem]:
    """A reference to itself never ends; one to what is around it is a tree, which the API does not take."""
    place = circle(schema.value, SAME_VALUE)
    if place is not None:
        what = "this reference leads back to itself, so no value can be checked"
        yield schema.problem("schema-ref", what, (*place, "$ref"), next="describe the value itself")
    elif native and (place := circle(schema.value, APPLIED)) is not None:
        what = "this reference makes the schema contain itself, which structured outputs do not take"
        step = f"write out as many levels as you need, {_TEXT_MODE}"
        yield schema.problem("schema-ref", what, (*place, "$ref"), next=step)


def _slow_patterns(schema: WrittenSchema) -> Iterator[Problem]:
    for path, pattern in _patterns(schema.value):
        try:
            slow = is_slow(pattern)
        except NO_PATTERN:
            what = f"`{pattern[:200]}` is not a regular expression"
            yield schema.problem("schema-invalid", what, path, next="write it as Python's `re` reads it")
            continue
        if slow:
            what = f"`{pattern[:200]}` can take forever on some replies: a repeated part matches one text in many ways"
            step = "leave only one way, such as `^[a-z]+(-[a-z]+)*$`, or remove the pattern"
            yield schema.problem("slow-pattern", what, path, next=step)


def _patterns(schema: Json) -> Iterator[tuple[Path, str]]:
    for path, part in parts(schema):
        if not isinstance(part, Mapping):
            continue
        if isinstance(part.get("pattern"), str):
            yield (*path, "pattern"), part["pattern"]
        for name in part.get("patternProperties", {}):
            yield (*path, "patternProperties", name), name


# ---------------------------------------------------------------- what the API enforces


def _untyped(schema: WrittenSchema) -> Iterator[Problem]:
    for path, part in parts(schema.value, SENT):
        if not is_typed(part):
            what = "nothing says what this value is, which structured outputs need"
            step = "add `type`, `anyOf`, or an `enum` or `const` of plain values"
            yield schema.problem("schema-untyped", what, path, next=step)


def _no_object(schema: WrittenSchema) -> Iterator[Problem]:
    root: Any = schema.value
    while isinstance(root, Mapping) and "$ref" in root:  # no circle: `_circles` found none
        found = target(schema.value, root["$ref"])
        root = found[1] if found else None
    if not isinstance(root, Mapping) or root.get("type") != "object":
        what = "the reply as a whole is not an object, for which structured outputs are made"
        step = "put the value under a key of an object"
        yield schema.problem("schema-root", what, (), next=step, severity="warning")


def _closed(schema: WrittenSchema) -> Iterator[Problem]:
    for path, part in parts(schema.value, SENT):
        more = part.get("additionalProperties") if isinstance(part, Mapping) else None
        if more is True or isinstance(more, Mapping):
            what = "structured outputs allow no keys but those in `properties`, so a reply will never have others"
            step = f"use a list of `{{name: …, value: …}}`, {_TEXT_MODE}"
            yield schema.problem("schema-closed", what, (*path, "additionalProperties"), next=step, severity="warning")


def _unenforced(schema: WrittenSchema) -> Iterator[Problem]:
    """One warning for all of them, at the first: it is how things are, not a mistake in each place."""
    places = [
        (path, name)
        for path, part in parts(schema.value, SENT)
        if isinstance(part, Mapping) and "$ref" not in part
        for name in left_over(part)
        if name not in ANNOTATIONS
    ]
    if places:
        path, name = places[0]
        what = f"the API does not enforce {listed(dict.fromkeys(name for _, name in places))}"
        step = "the model is told in words and each reply is checked against them, so nothing has to change"
        yield schema.problem("schema-unenforced", what, (*path, name), next=step, severity="warning")
