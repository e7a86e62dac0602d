"""The request fields and variables of every cell of the matrix; what cells share is compiled once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from runner.models.rules import rule_for
from runner.records import Json
from runner.spec.document import Path
from runner.spec.fields import Compiler, Field, compile_field, written_fields
from runner.spec.gather import problem_at
from runner.spec.job import DEFAULT_MAX_TOKENS, REQUEST_FIELDS, CellSpec
from runner.spec.matrix import Cell, expand, without_keys
from runner.spec.params import AUTO
from runner.spec.template import names_in


@dataclass(frozen=True)
class Variables:
    """declared: name → value. given: those that `--var` set; they win over everything, a matrix included."""

    declared: Mapping[str, Json] = field(default_factory=dict)
    given: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltCell:
    """A cell, where each of its fields was written, and every name its templates read."""

    spec: CellSpec
    fields: Mapping[str, Field]
    names: frozenset[str]


def build_cells(
    tree: Mapping[str, Json], variables: Variables, decided: Collection[str], compiler: Compiler
) -> list[BuiltCell]:
    """At least one cell. decided: keys that the command line set, which the matrix then varies no more."""
    _said_twice(tree, compiler)
    base = _compiled(tree, None, compiler, {})
    cells, problems = expand(
        tree.get("matrix", {}), variables.declared.keys(), partial(problem_at, compiler.gathered.doc)
    )
    compiler.gathered.problems += problems
    known: dict[Path, Field] = {}
    varied = without_keys(cells, {*decided, *variables.given})
    return [_build(i, cell, base, variables, compiler, known) for i, cell in enumerate(varied)]


def decided_keys(set_paths: Collection[Path]) -> Iterator[str]:
    """The matrix keys that `--set` paths decide: request fields and, by `vars.name`, variables."""
    for path in set_paths:
        if path[0] in ("effort", "output_config"):
            yield from ("effort", "output_config")
        elif path[0] in REQUEST_FIELDS:
            yield str(path[0])
        elif path[0] == "vars" and len(path) > 1:
            yield str(path[1])


def decided_fields(set_paths: Collection[Path]) -> Iterator[str]:
    """What `--set` decides against matrix and rows: the top-level keys it wrote, and the parts of `run`."""
    for path in set_paths:
        yield str(path[0])
        if path[0] in ("effort", "output_config"):
            yield from ("effort", "output_config")
        if path[0] == "run":
            yield from (str(path[1]),) if len(path) > 1 else ("request_timeout", "retry")


def _build(
    index: int,
    cell: Cell,
    base: Mapping[str, Field],
    variables: Variables,
    compiler: Compiler,
    known: dict[Path, Field],
) -> BuiltCell:
    fields = {**base, **_compiled(cell.values, cell.paths, compiler, known)}
    fields.setdefault("max_tokens", Field(_default_max_tokens(fields), ()))
    fields.setdefault("fallbacks", Field(AUTO, ()))
    own = {
        name: _variable(value, cell.paths[name], compiler, known)
        for name, value in cell.values.items()
        if name in variables.declared and name not in REQUEST_FIELDS
    }
    spec = CellSpec(
        index=index,
        values=cell.values,
        fields={name: one.value for name, one in fields.items()},
        vars={**variables.declared, **own, **variables.given},
        cli_vars=variables.given,
        paths={name: one.path for name, one in fields.items()},
    )
    return BuiltCell(spec, fields, names_in(spec.fields) | names_in(own))


def _compiled(
    values: Mapping[str, Json], at: Mapping[str, Path] | None, compiler: Compiler, known: dict[Path, Field]
) -> dict[str, Field]:
    fields = {}
    for name, (value, path) in written_fields(values, at).items():
        if path not in known:
            known[path] = compile_field(name, value, path, compiler)
        fields[name] = known[path]
    return fields


def _said_twice(tree: Mapping[str, Json], compiler: Compiler) -> None:
    config = tree.get("output_config")
    if "effort" in tree and isinstance(config, Mapping) and "effort" in config:
        what = "`effort` and `output_config.effort` say the same in two ways"
        compiler.gathered.add("not-allowed", what, ("output_config", "effort"), next="keep `effort`")


def _variable(value: Json, path: Path, compiler: Compiler, known: dict[Path, Field]) -> Any:
    if path not in known:
        known[path] = Field(compiler.tree(value, path), path)
    return known[path].value


def _default_max_tokens(fields: Mapping[str, Field]) -> int:
    """The language's default, or the model's limit if that is lower."""
    model = fields["model"].value if "model" in fields else None
    rules = rule_for(model) if isinstance(model, str) else None
    limit = rules.max_output if rules is not None else None
    return DEFAULT_MAX_TOKENS if limit is None else min(DEFAULT_MAX_TOKENS, limit)
