"""The matrix: one cell per combination, with `include` and `exclude` as in GitHub workflows.

Works on the tree as it was written and says for every value where it stands. It does not check or
normalise the values: a cell is laid over the spec's fields by `load.py`, which knows what each may be.
Semantics: https://docs.github.com/actions/using-jobs/using-a-matrix-for-your-jobs
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from runner.errors import Problem
from runner.records import Json
from runner.spec.job import MAX_CELLS, REQUEST_FIELDS
from runner.spec.near import did_you_mean, listed

Path: TypeAlias = tuple[str | int, ...]
Report: TypeAlias = Callable[..., Problem]  # (rule, what, path, next=…) -> Problem at that place

_ENTRY_LISTS: Final = ("include", "exclude")


@dataclass(frozen=True)
class Cell:
    """One combination. paths: where in the document each value was written."""

    values: Mapping[str, Json] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)


def expand(matrix: Mapping[str, Any], variables: Collection[str], report: Report) -> tuple[list[Cell], list[Problem]]:
    """The cells in declared order, the first key slowest, and what is wrong with the matrix.

    variables: the names declared in `vars`. With problems, or without a matrix, one empty cell.
    """
    if not matrix:
        return [Cell()], []
    axes = {key: values for key, values in matrix.items() if key not in _ENTRY_LISTS}
    problems = list(_key_problems(matrix, axes, variables, report))
    problems += _repeated_values(axes, report)
    size = math.prod(len(values) for values in axes.values())
    if size > MAX_CELLS:
        return [Cell()], [*problems, _too_many(size, report)]
    if problems:
        return [Cell()], problems
    kept, problems = _excluded(_product(axes), matrix.get("exclude", []), report)
    cells = _included(kept, axes, matrix.get("include", []))
    problems += _result_problems(cells, report)
    return cells or [Cell()], problems


def without_keys(cells: Sequence[Cell], keys: Collection[str]) -> list[Cell]:
    """The cells without these keys (the command line set them), each remaining combination once."""
    slim = [
        Cell(
            {key: value for key, value in cell.values.items() if key not in keys},
            {key: path for key, path in cell.paths.items() if key not in keys},
        )
        for cell in cells
    ]
    return list({_identity(cell.values): cell for cell in reversed(slim)}.values())[::-1] if keys else list(cells)


def _product(axes: Mapping[str, Sequence[Json]]) -> list[Cell]:
    if not axes:
        return []  # only `include`: its entries are the cells
    placed = [[(key, value, ("matrix", key, i)) for i, value in enumerate(values)] for key, values in axes.items()]
    return [_cell(combination) for combination in itertools.product(*placed)]


def _cell(parts: Sequence[tuple[str, Json, Path]]) -> Cell:
    return Cell({key: value for key, value, _ in parts}, {key: path for key, _, path in parts})


def _excluded(
    cells: list[Cell], entries: Sequence[Mapping[str, Json]], report: Report
) -> tuple[list[Cell], list[Problem]]:
    """The cells that no entry matches; an entry that matches none is a problem, it does not do what it says."""
    problems = []
    for i, entry in enumerate(entries):
        kept = [cell for cell in cells if not _matches(cell.values, entry)]
        if len(kept) == len(cells):
            what = f"no combination has {_shown(entry)}, so this excludes nothing"
            problems.append(
                report("matrix-exclude", what, ("matrix", "exclude", i), next="correct or remove the entry")
            )
        cells = kept
    return cells, problems


def _included(
    cells: Sequence[Cell], axes: Mapping[str, Sequence[Json]], entries: Sequence[Mapping[str, Json]]
) -> list[Cell]:
    """Each entry extends the combinations whose axis values it agrees with; with none it is a cell of its own."""
    grown, added = list(cells), []
    for i, entry in enumerate(entries):
        on_axes = {key: value for key, value in entry.items() if key in axes}
        extra = _cell([(key, value, ("matrix", "include", i, key)) for key, value in entry.items()])
        hits = [n for n, cell in enumerate(grown) if _matches(cell.values, on_axes)]
        for n in hits:
            new = {key: path for key, path in extra.paths.items() if key not in axes}
            grown[n] = Cell({**grown[n].values, **entry}, {**grown[n].paths, **new})
        if not hits:
            added.append(extra)
    return [*grown, *added]


def _matches(values: Mapping[str, Json], wanted: Mapping[str, Json]) -> bool:
    return all(key in values and _identity(values[key]) == _identity(value) for key, value in wanted.items())


def _identity(value: Json) -> str:
    """Equal only for equal values of equal type: 1, 1.0, true and "1" are four values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True)


def _shown(entry: Mapping[str, Json]) -> str:
    return "`" + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()) + "`"


def _key_problems(
    matrix: Mapping[str, Any], axes: Mapping[str, Any], variables: Collection[str], report: Report
) -> Iterator[Problem]:
    known = [*REQUEST_FIELDS, "output_config", *variables]  # the last but one: the API's own spelling of `effort`
    places: list[tuple[str, Path]] = [(key, ("matrix", key)) for key in axes]
    places += [(key, ("matrix", "include", i, key)) for i, e in enumerate(matrix.get("include", [])) for key in e]
    for key, path in places:
        if key not in known:
            hint = f"a matrix varies request fields ({listed(REQUEST_FIELDS)}) and names declared in `vars`"
            what = f"`{key}` is neither a request field nor declared in `vars`"
            yield report("matrix-key", what, path, next=did_you_mean(key, known, otherwise=hint), on_key=True)
    for i, entry in enumerate(matrix.get("exclude", [])):
        for key in entry:
            if key not in axes:
                hint = did_you_mean(key, axes, otherwise=f"the matrix has {listed(axes)}")
                what = f"`{key}` is not a key of this matrix, so the entry excludes nothing"
                yield report("matrix-key", what, ("matrix", "exclude", i, key), next=hint, on_key=True)


def _repeated_values(axes: Mapping[str, Sequence[Json]], report: Report) -> Iterator[Problem]:
    for key, values in axes.items():
        first: dict[str, int] = {}
        for i, value in enumerate(values):
            seen = first.setdefault(_identity(value), i)
            if seen != i:
                what = f"the same value stands at `matrix.{key}[{seen}]` already, so its cells would be equal"
                yield report(
                    "matrix-duplicate", what, ("matrix", key, i), next="remove it, or use `repeat` to ask twice"
                )


def _result_problems(cells: Sequence[Cell], report: Report) -> list[Problem]:
    if not cells:
        return [
            report(
                "matrix-empty",
                "`exclude` removes every combination",
                ("matrix", "exclude"),
                next="exclude fewer",
                on_key=True,
            )
        ]
    if len(cells) > MAX_CELLS:
        return [_too_many(len(cells), report)]
    seen: set[str] = set()
    problems = []
    for cell in cells:
        name = _identity(cell.values)
        if name in seen:
            path = max(cell.paths.values(), key=lambda place: place[1] == "include")
            what = f"the combination {_shown(cell.values)} is there twice"
            problems.append(report("matrix-duplicate", what, path[:3], next="remove one, or use `repeat` to ask twice"))
        seen.add(name)
    return problems


def _too_many(size: int, report: Report) -> Problem:
    what = f"the matrix has {size:,} combinations; the most is {MAX_CELLS:,}"
    return report(
        "matrix-too-large", what, ("matrix",), next="shorten its lists, or make some of it input rows", on_key=True
    )
