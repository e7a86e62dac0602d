"""Checks a document against the job schema, and single request fields against their part of it.

The only importer of jsonschema; `explain` puts its errors into words. Knows nothing of defaults, files or templates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import Problem
from runner.records import Json
from runner.spec.document import Document, path_text

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

    from runner.spec.found import Found

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE.parent / "schemas", _HERE.parent.parent / "schemas")  # in a wheel; beside runner/ in a checkout
_SHORT = 200  # characters of a text that is worth remembering


def schema_text(name: str) -> str:
    """The text of schemas/<name>.schema.json (`job`, `result`, `run`, `usage`). Raises FileNotFoundError."""
    return _text_in(_PLACES, name)


def _text_in(places: Iterable[Path], name: str) -> str:
    for place in places:
        file = place / f"{name}.schema.json"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name}.schema.json")


def check_tree(doc: Document) -> list[Problem]:
    """Everything in the document that the job schema does not allow, in the order of the text."""
    problems = [_problem(one, doc) for one in _explained(_job_validator(), doc.value, _job_schema())]
    return sorted(problems, key=lambda problem: (problem.where is None, problem.where))


def check_field(name: str, value: Json) -> str | None:
    """What is wrong with one rendered request field such as `max_tokens` (no template any more), None when nothing is.

    Fast for what most rows hold, and for short values seen before. A name that is no request field raises KeyError.
    """
    quick = _QUICK.get(name)
    if quick is not None and quick(value):
        return None
    if isinstance(value, (list, dict)) or (isinstance(value, str) and len(value) > _SHORT):
        return _check(name, value)
    return _check_short(name, type(value).__name__, value)


@lru_cache(maxsize=4096)
def _check_short(name: str, _type: str, value: Json) -> str | None:
    return _check(name, value)  # by type as well: True == 1 == 1.0


def _check(name: str, value: Json) -> str | None:
    found = _explained(_field_validator(name), value, _rendered_schema(), at=(name,))
    return "; ".join(map(str, found)) or None


def _explained(validator: Validator, value: Json, schema: Mapping[str, Any], at: tuple[str, ...] = ()) -> list[Found]:
    """What is wrong with the value; most have nothing to be explained."""
    errors: list[ValidationError] = list(validator.iter_errors(value))
    if not errors:
        return []
    from runner.spec.explain import explain

    return explain(errors, schema, at=at)


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_metadata(value: Json) -> bool:
    return isinstance(value, dict) and value.keys() == {"user_id"} and isinstance(value["user_id"], str)


_QUICK: Mapping[str, Callable[[Json], bool]] = {"system": _is_text, "prompt": _is_text, "metadata": _is_metadata}
"""Values that differ in every row and are surely right: a million of them should not meet jsonschema."""


def _problem(found: Found, doc: Document) -> Problem:
    where = doc.key_where(found.path) if found.at_key else doc.where(found.path)
    return Problem(found.rule, found.what, where, path_text(found.path), found.next)


# ---------------------------------------------------------------- validators, built when first needed


@cache
def _job_schema() -> Mapping[str, Any]:
    schema: Mapping[str, Any] = json.loads(schema_text("job"))
    return schema


@cache
def _rendered_schema() -> Mapping[str, Any]:
    """The schema of what has been rendered: nothing is a template any more."""
    schema = _job_schema()
    return {**schema, "$defs": {**schema["$defs"], "template": False}}


@cache
def _job_validator() -> Validator:
    return _validator(_job_schema())


@cache
def _field_validator(name: str) -> Validator:
    whole = _rendered_schema()
    return _validator({"$defs": whole["$defs"], **whole["$defs"]["overrides"]["properties"][name]})


def _validator(schema: Mapping[str, Any]) -> Validator:
    from referencing import Registry

    empty: Registry[Any] = Registry()  # jsonschema would fetch remote $refs by default
    return _validator_class()(schema, registry=empty)


@cache
def _validator_class() -> Callable[..., Validator]:
    """Draft 2020-12, but `1000.0` is no whole number: the API would get it as it is."""
    from jsonschema import validators  # 0.1 s

    draft = validators.Draft202012Validator
    checker = draft.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    extend: Callable[..., Callable[..., Validator]] = validators.extend
    return extend(draft, type_checker=checker)
