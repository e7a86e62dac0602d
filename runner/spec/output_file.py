"""Reads the schema of `output`: written in the spec, or in a JSON or YAML file of its own, with every place in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from runner.errors import Position, Problem, SpecError
from runner.records import Json
from runner.spec.document import Document, Path
from runner.spec.gather import Gathered, problem_at
from runner.spec.yaml_reader import read_yaml

_LIMITS: Final = frozenset(("duplicate-key", "yaml-too-deep", "yaml-too-large"))
"""What is wrong for a JSON file too; other complaints about YAML are not about JSON."""


@dataclass(frozen=True)
class WrittenSchema:
    """A schema, the document it stands in, and at which path of it."""

    value: Mapping[str, Json]
    doc: Document
    at: Path

    def problem(
        self, rule: str, what: str, inner: Path, *, next: str = "", severity: Literal["error", "warning"] = "error"
    ) -> Problem:
        """A problem of a place inside the schema."""
        return problem_at(self.doc, rule, what, (*self.at, *inner), next=next, severity=severity)


def read_schema(written: Mapping[str, Json], path: Path, gathered: Gathered) -> WrittenSchema | None:
    """The schema that stands at `path` or that a file named there holds; None after a problem."""
    if "file" not in written:
        return WrittenSchema(written, gathered.doc, path)
    if len(written) > 1:
        step = "write the schema here, or keep all of it in the file"
        gathered.add("not-allowed", "`file` has no meaning beside parts of a schema", (*path, "file"), next=step)
        return None
    at = (*path, "file")
    with gathered.catching(at):
        text, file = gathered.read(written["file"], at)
        doc = _document(text, gathered.confine.shown(file), is_json=file.suffix.lower() not in (".yaml", ".yml"))
        if not isinstance(doc.value, Mapping):
            where = Position(doc.file, 1, 1)
            raise SpecError("a schema is a map", where=where, rule="schema-invalid", next="begin with `type: object`")
        return WrittenSchema(doc.value, doc, ())
    return None


def _document(text: str, shown: str, *, is_json: bool) -> Document:
    if not is_json:
        return read_yaml(text.encode(), file=shown)
    value = _json(text, shown)
    return replace(_places(text, shown), value=value)


def _json(text: str, shown: str) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = Position(shown, error.lineno, error.colno)
        step = "look for a quote, comma or bracket that is missing or too many"
        raise SpecError("this is not JSON", where=where, rule="schema-invalid", next=step) from None
    except (RecursionError, ValueError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpecError(f"this is not JSON: {what}", where=Position(shown), rule="schema-invalid") from None


def _refuse(name: str) -> None:
    raise ValueError(f"`{name}` is no JSON value")


def _places(text: str, shown: str) -> Document:
    """Where everything stands. Nearly all JSON is YAML once tabs are spaces; for the rest there are no places."""
    try:
        return read_yaml(text.replace("\t", " ").encode("utf-8", "surrogatepass"), file=shown)
    except SpecError as error:
        if any(problem.rule in _LIMITS for problem in error.problems):
            raise
        return read_yaml(b"{}", file=shown)
