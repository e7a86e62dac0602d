"""Jobs and rows written down in a line, as `load_job` and `read_rows` would make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Position
from runner.records import Row, Source
from runner.spec.job import CellSpec, JobSpec
from runner.spec.paths import Confine
from runner.spec.template import Templates

FIELDS = {"model": "claude-opus-5-5", "max_tokens": 2000, "prompt": "Classify: {{ text }}"}


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., JobSpec]:
    """`make_job({fields}, values={…}, vars={…}, …)`: a job of one cell, or `cells=[{…}, …]` of several."""
    root = tmp_path.resolve()
    confine = Confine(root)
    templates = Templates(confine, base=root)

    def compiled(tree: Any) -> Any:
        return templates.tree(tree, lambda path: Position("job.yaml", 3, 1))

    def cell(index: int, fields: Mapping[str, Any] = FIELDS, **more: Any) -> CellSpec:
        more = {name: compiled(value) if name == "vars" else value for name, value in more.items()}
        return CellSpec(index, more.pop("values", {}), compiled(fields), **more)

    def job(fields: Mapping[str, Any] = FIELDS, *, cells: Any = None, **more: Any) -> JobSpec:
        own = {name: more.pop(name) for name in ("values", "vars", "cli_vars") if name in more}
        made = [cell(i, **one) for i, one in enumerate(cells)] if cells else [cell(0, fields, **own)]
        return JobSpec(root / "job.yaml", root, confine, "job", tuple(made), templates, **more)

    return job


@pytest.fixture
def make_row() -> Callable[..., Row]:
    """`make_row(1, text="x")`: the row of a CSV file's line."""

    def row(number: int = 1, overrides: Mapping[str, Any] | None = None, **values: Any) -> Row:
        return Row(number, f"r{number}", values, Source("data/t.csv", number + 1), overrides or {})

    return row
