"""Puts jsonschema's errors into words: what is wrong and what to do, and the branch that the author meant.

Gets errors and the schema, gives `Found`s with paths; positions are the caller's. Imports no jsonschema.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from runner.spec.attachments import BLOCK_TYPES
from runner.spec.document import Path
from runner.spec.found import Found, causes
from runner.spec.nouns import TEMPLATE, Nouns, Schema, either
from runner.spec.suggest import (
    is_later,
    next_for_key,
    next_for_pattern,
    next_for_type,
    next_for_value,
    quoted,
    value_as_written,
)

Error: TypeAlias = Any  # jsonschema.exceptions.ValidationError, whose stubs allow "unset" in every field
_OWN_KEYS = {"stream": "`run: {stream: …}`", "messages": "`prompt: …` or `messages: …` at the top level"}
_API_BLOCKS = frozenset(
    (
        "container_upload",
        "thinking",
        "redacted_thinking",
        "tool_result",
        "tool_use",
    )
)


def explain(errors: Iterable[Error], schema: Schema, *, at: Path = ()) -> list[Found]:
    """Everything that is wrong, each thing once.

    schema: the whole one, for its `$defs` and top-level keys. at: where the value that was checked stands.
    """
    explainer = Explainer(schema, at)
    return causes(one for error in errors for one in explainer.explain(error))


class Explainer:
    """The words for one schema's errors; `_words` says which method speaks for which keyword."""

    def __init__(self, schema: Schema, at: Path) -> None:
        self._schema = schema
        self._nouns = Nouns(schema)
        self._at = at
        self._words: Mapping[str, Callable[[Error], Iterator[Found]]] = {
            "additionalProperties": self._unknown_keys,
            "anyOf": self._any_of,
            "const": self._wrong_value,
            "dependentRequired": self._alone,
            "enum": self._wrong_value,
            "exclusiveMinimum": self._out_of_range,
            "maximum": self._out_of_range,
            "minimum": self._out_of_range,
            "minItems": self._empty,
            "minLength": self._empty,
            "minProperties": self._empty,
            "not": self._not,
            "oneOf": self._one_of,
            "pattern": self._pattern,
            "required": self._missing,
            "type": self._type,
            "uniqueItems": self._twice,
        }

    def explain(self, error: Error) -> Iterator[Found]:
        yield from self._words.get(error.validator, self._anything_else)(error)

    def _path(self, error: Error) -> Path:
        path = (*self._at, *error.absolute_path)
        return (*path, error.instance) if _of_a_name(error) else path

    # ------------------------------------------------------------ maps

    def _unknown_keys(self, error: Error) -> Iterator[Found]:
        known = error.schema.get("properties", {})
        path = self._path(error)
        for key in error.instance:
            if key in known or (not path and key.startswith("x-")):
                continue
            step, names = next_for_key(path, key, known, self._schema["properties"])
            rule, what = "unknown-key", f"unknown key {quoted(key)}"
            if is_later(path, key):
                rule, what = "not-in-version", f"{quoted(key)} is not in this version of promptrun"
            yield Found(rule, what, (*path, key), step, at_key=True, names=names)

    def _missing(self, error: Error) -> Iterator[Found]:
        for key in error.validator_value:
            if key not in error.instance:
                step = self._example_of(error.schema, key)
                yield Found("missing-key", f"`{key}` is missing", self._path(error), step, names=(key,))

    def _example_of(self, schema: Schema, key: str) -> str:
        examples = self._nouns.resolved(schema.get("properties", {}).get(key, {})).get("examples", ())
        simple = [one for one in examples if isinstance(one, int) or (isinstance(one, str) and "{" not in one)]
        return f"write `{key}: {simple[0]}`, for example" if simple else f"write `{key}: …`"

    def _one_of(self, error: Error) -> Iterator[Found]:
        """In our schema `oneOf` only ever says that exactly one of several keys is there."""
        if not isinstance(error.instance, dict):
            return
        names = tuple(key for branch in error.validator_value for key in branch["required"])
        present = [f"`{key}`" for key in names if key in error.instance]
        if present:
            yield Found(
                "one-of", f"{' and '.join(present)} cannot stand together", self._path(error), "keep one of them"
            )
        else:
            what = f"one of {either(map(quoted, names))} is missing"
            yield Found("one-of", what, self._path(error), "write one of them", names=names)

    def _alone(self, error: Error) -> Iterator[Found]:
        for key, others in error.validator_value.items():
            missing = [other for other in others if other not in error.instance]
            if key in error.instance and missing:
                step = f"add `{missing[0]}`, or remove it"
                what = f"`{key}` has no meaning without `{missing[0]}`"
                yield Found("not-allowed", what, (*self._path(error), key), step, at_key=True)

    def _never(self, error: Error) -> Found:
        path = self._path(error)
        key = str(path[-1])
        if "extra_body" in path:
            home = _OWN_KEYS.get(key, f"`{key}: …` at the top level")
            return Found("not-allowed", f"`{key}` has a key of its own", path, f"write {home}", at_key=True)
        step = "remove it, or write `type: enabled`" if key == "budget_tokens" else "remove it"
        return Found("not-allowed", f"`{key}` has no meaning with this `type`", path, step, at_key=True)

    # ------------------------------------------------------------ values

    def _type(self, error: Error) -> Iterator[Found]:
        yield self._wrong_type(error)

    def _wrong_type(self, error: Error) -> Found:
        path, value = self._path(error), error.instance
        if path[-1:] == ("authorization_token",):  # never quoted: it is a secret, whatever its shape
            step = "write `{env: NAME}`, and keep the token in that variable of the environment"
            return Found("credential", "a token does not stand in a spec", path, step)
        what = f"expected {self._nouns.noun(error.schema)}, got {value_as_written(value)}"
        return Found("wrong-type", what, path, next_for_type(path, value, self._nouns.types(error.schema)))

    def _wrong_value(self, error: Error) -> Iterator[Found]:
        path, value = self._path(error), error.instance
        if error.schema.get("type") == "string" and not isinstance(value, str):
            return  # the type is wrong as well, which says enough
        if path[-1:] == ("type",) and isinstance(value, str) and value in _API_BLOCKS:
            what = f"{quoted(value)} blocks are not in this version of promptrun"
            yield Found("not-in-version", what, path, "remove the block")
            return
        if path[-1:] == ("type",) and value in BLOCK_TYPES and "system" in path:
            step = "write `attachments: …` beside the prompt"
            yield Found("not-allowed", "a system prompt takes text only", path, step)
            return
        allowed = error.validator_value if error.validator == "enum" else [error.validator_value]
        what = f"expected {either(map(quoted, allowed))}, got {value_as_written(value)}"
        yield Found("wrong-value", what, path, next_for_value(path, value, allowed))

    def _pattern(self, error: Error) -> Iterator[Found]:
        path, value = self._path(error), error.instance
        what = f"expected {self._nouns.noun(error.schema)}, got {value_as_written(value)}"
        yield Found("wrong-value", what, path, next_for_pattern(path, value), at_key=_of_a_name(error))

    def _not(self, error: Error) -> Iterator[Found]:
        if error.validator_value == {}:  # nothing is allowed there (jsonschema forgets the path of a plain `false`)
            yield self._never(error)
            return
        what = f"{quoted(error.instance)} has a meaning of its own"
        yield Found("reserved-name", what, self._path(error), "choose another name", at_key=_of_a_name(error))

    def _out_of_range(self, error: Error) -> Iterator[Found]:
        bound = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}[error.validator]
        what = f"expected {bound} {error.validator_value:,}, got {quoted(error.instance)}"
        yield Found("out-of-range", what, self._path(error))

    def _empty(self, error: Error) -> Iterator[Found]:
        noun = {"minItems": "list", "minLength": "string", "minProperties": "map"}[error.validator]
        yield Found("empty-value", f"this {noun} is empty", self._path(error), "fill it, or remove the key")

    def _twice(self, error: Error) -> Iterator[Found]:
        again = next((i for i, item in enumerate(error.instance) if item in error.instance[:i]), 0)
        what = f"{quoted(error.instance[again])} stands here twice"
        yield Found("not-allowed", what, (*self._path(error), again), "remove one of them")

    def _anything_else(self, error: Error) -> Iterator[Found]:
        yield Found("wrong-value", error.message, self._path(error))

    # ------------------------------------------------------------ branches

    def _any_of(self, error: Error) -> Iterator[Found]:
        """The complaints of the branch that the author meant: by type first, then by the keys that are there."""
        fitting = {index: group for index, group in _groups(error).items() if _fits(group)}
        if not fitting:
            yield self._wrong_type(error)
            return
        best = max(fitting, key=lambda index: self._likeness(error, index, len(fitting[index])))
        for inner in fitting[best]:
            yield from self.explain(inner)

    def _likeness(self, error: Error, branch: int, complaints: int) -> tuple[int, int]:
        """(keys of the value that the branch knows, fewer complaints)."""
        known = self._nouns.resolved(error.validator_value[branch]).get("properties", {})
        keys = error.instance if isinstance(error.instance, dict) else ()
        return sum(key in known for key in keys), -complaints


def _groups(error: Error) -> dict[int, list[Error]]:
    """The complaints of each branch but the template's."""
    groups: dict[int, list[Error]] = defaultdict(list)
    for inner in error.context:
        index = inner.relative_schema_path[0]
        if error.validator_value[index] != TEMPLATE:
            groups[index].append(inner)
    return groups


def _fits(group: Iterable[Error]) -> bool:
    """Whether a branch with these complaints takes values of this type at all."""
    at_root = [error for error in group if not error.relative_path]
    if any(error.validator in ("type", "const") for error in at_root):  # `auto` is not meant by anything else
        return False
    return all(any(map(_fits, _groups(error).values())) for error in at_root if error.validator == "anyOf")


def _of_a_name(error: Error) -> bool:
    """Whether the complaint is about a map's key (`propertyNames`); jsonschema then leaves the key out of the path."""
    return "propertyNames" in error.absolute_schema_path
