"""What lint rules get to see: the fields of one cell or the whole job, where they stand, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from runner.errors import Problem
from runner.records import Json
from runner.spec.document import Document, Path
from runner.spec.fields import Field
from runner.spec.gather import problem_at
from runner.spec.job import CacheSpec, ClientSpec, InputSource, StreamMode
from runner.spec.template import Expression, Template


def is_literal(value: Any) -> bool:
    """Whether a compiled value holds no template, so that what it will be is known now."""
    if isinstance(value, (Template, Expression)):
        return False
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return all(is_literal(item) for item in items)


@dataclass(frozen=True)
class CellFacts:
    """One cell. broken: top-level keys that have problems already; a rule does not guess about those.

    reuse_written: whether the author says if answers serve again.
    """

    fields: Mapping[str, Field]
    doc: Document
    today: date
    stream: StreamMode = "auto"
    broken: Collection[str] = ()
    cache: CacheSpec = CacheSpec()  # noqa: RUF009 - frozen
    client: ClientSpec = ClientSpec()  # noqa: RUF009 - frozen
    reuse_written: bool = False

    def literal(self, name: str) -> Any:
        """The field's value; None when it is not set or only known once rendered."""
        field = self.fields.get(name)
        return field.value if field is not None and is_literal(field.value) else None

    def report(
        self,
        rule: str,
        what: str,
        name: str,
        *inner: str | int,
        next: str = "",
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem of a field, or of a place inside its value; of the whole spec when the field is not set."""
        path: Path = (*self.fields[name].path, *inner) if name in self.fields else ()
        return problem_at(self.doc, rule, what, path, next=next, severity=severity)


@dataclass(frozen=True)
class JobFacts:
    """The whole job. names: every name that templates read; cell_names: those of each cell's fields.

    broken: whether there are errors already; what a job leaves unread is not known then.
    models: those that its requests name; None when that is not known before they are rendered.
    """

    doc: Document
    tree: Mapping[str, Json]
    inputs: tuple[InputSource, ...]
    names: frozenset[str]
    cell_names: tuple[frozenset[str], ...]
    broken: bool = False
    models: frozenset[str] | None = None
