"""What `where:` and a templated `id:` see: a row, and the variables that are the same in every cell of the matrix.

A row is chosen and named once, before the matrix multiplies it, so nothing of a cell is here; nor are the
templates of `vars`, which are rendered for a request.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.inputs.file_values import FileValues
from runner.records import Json
from runner.spec.job import JobSpec
from runner.spec.template import Expression, Template


class RowContext:
    """Names for templates of a row: `vars` < the row's columns < `--var`, and always `row` and `vars`."""

    def __init__(self, job: JobSpec) -> None:
        cell = job.cells[0]
        self._vars = {
            name: value
            for name, value in cell.vars.items()
            if name not in cell.values and not isinstance(value, Template)
        }
        self._cli_vars = dict(cell.cli_vars)

    def __call__(self, values: Mapping[str, Json], reader: Template | Expression) -> dict[str, Json]:
        """The names for one row. A file is read only when `reader` names its `text`."""
        known = {**self._vars, **values, **self._cli_vars, "row": values, "vars": {**self._vars, **self._cli_vars}}
        if isinstance(values, FileValues) and "text" in reader.names and "text" not in self._cli_vars:
            known["text"] = values["text"]
        return known
