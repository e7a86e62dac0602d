"""`output` of a spec → `OutputSpec`, its schema read and checked. Schemas are never templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.records import Json
from runner.spec.document import Path
from runner.spec.gather import Gathered
from runner.spec.job import OutputSpec
from runner.spec.output_file import read_schema
from runner.spec.output_rules import schema_problems

_SETTINGS: Final = ("mode", "on_invalid", "on_truncated")


def compile_output(written: Mapping[str, Json], path: Path, gathered: Gathered) -> OutputSpec:
    """What replies have to be. Mistakes are gathered; then the schema is left out."""
    settings: dict[str, Any] = {name: written[name] for name in _SETTINGS if name in written}
    spec = OutputSpec(**settings)
    schema = read_schema(written["schema"], (*path, "schema"), gathered) if "schema" in written else None
    if schema is None:
        return spec
    problems = schema_problems(schema, native=spec.mode == "native")
    gathered.problems += problems
    if any(problem.is_error for problem in problems):
        return spec
    return OutputSpec(schema.value, **settings)
