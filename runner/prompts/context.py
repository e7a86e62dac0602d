"""The names that a request's templates see: `vars` < the row's columns < matrix < `--var`, and `row`, `vars`,
`matrix`, `repeat` always.

What is the same for every row of a cell is worked out once. Values are passed through, never rendered; only what
the spec itself wrote as a template (a matrix value of a variable) is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.prompts.body import is_static
from runner.records import Json, Row
from runner.spec.job import CellSpec
from runner.spec.template import names_in, render_tree


@dataclass(frozen=True)
class CellContext:
    """One cell's share of the names.

    plain: the literal variables. templated: the others. above: what wins over a row's columns.
    reads_text: whether a file's `text` is wanted at top level; only then is the file read.
    """

    matrix: Mapping[str, Json]
    plain: Mapping[str, Json]
    templated: Mapping[str, Any]
    above: Mapping[str, Json]
    reads_text: bool

    def __call__(self, row: Row, repeat: int) -> dict[str, Json]:
        """The names for one request. Raises TemplateFailure, and SpecError when a file's text cannot be read."""
        values = row.values
        known = {**self.plain, **values, **self.above}
        if self.reads_text and type(values) is not dict and "text" not in self.above:
            _add_text(known, values)
        known["row"] = values
        known["vars"] = self.plain
        known["matrix"] = self.matrix
        known["repeat"] = repeat
        if self.templated:
            self._add_templated(known, values)
        return known

    def _add_templated(self, known: dict[str, Json], columns: Mapping[str, Json]) -> None:
        made = {name: render_tree(value, known) for name, value in self.templated.items()}
        known["vars"] = {**self.plain, **made}
        known["matrix"] = {name: made.get(name, value) for name, value in self.matrix.items()}
        for name, value in made.items():
            if name in self.matrix or name not in columns:
                known[name] = value


def cell_context(cell: CellSpec, names: frozenset[str]) -> CellContext:
    """`names`: what the cell's templates read at top level."""
    templated = {name: value for name, value in cell.vars.items() if not is_static(value)}
    plain = {name: value for name, value in cell.vars.items() if name not in templated}
    matrix = {name: plain.get(name, value) for name, value in cell.values.items() if name not in templated}
    return CellContext(
        matrix=cell.values,
        plain=plain,
        templated=templated,
        above={**matrix, **cell.cli_vars},
        reads_text="text" in names | names_in(templated),
    )


def _add_text(known: dict[str, Json], values: Mapping[str, Json]) -> None:
    """A file's row does not list its text, and reads it when it is asked for."""
    try:
        known["text"] = values["text"]
    except KeyError:
        return
