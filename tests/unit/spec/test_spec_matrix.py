from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from runner.errors import Problem
from runner.spec.document import Path, path_text
from runner.spec.matrix import expand, without_keys


def report(rule: str, what: str, path: Path, *, next: str = "", on_key: bool = False) -> Problem:
    return Problem(rule, what, path=path_text(path), next=next)


def cells_of(matrix: Mapping[str, Any], variables: tuple[str, ...] = ("style", "n")) -> list[dict[str, Any]]:
    cells, problems = expand(matrix, variables, report)
    assert problems == []
    return [dict(cell.values) for cell in cells]


def rules_of(matrix: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(problem.rule, problem.path) for problem in expand(matrix, ("style", "n"), report)[1]]


def test_without_a_matrix_there_is_one_empty_cell() -> None:
    assert cells_of({}) == [{}]


def test_the_first_key_is_the_slowest() -> None:
    assert cells_of({"model": ["a", "b"], "n": [1, 2]}) == [
        {"model": "a", "n": 1},
        {"model": "a", "n": 2},
        {"model": "b", "n": 1},
        {"model": "b", "n": 2},
    ]


def test_values_keep_their_types() -> None:
    types = [type(cell["n"]) for cell in cells_of({"n": [1, 1.0, True, "1", None, [1]]})]
    assert types == [int, float, bool, str, type(None), list]


def test_exclude_takes_away_what_matches_all_its_keys() -> None:
    cells = cells_of({"model": ["a", "b"], "n": [1, 2], "exclude": [{"model": "a", "n": 2}, {"model": "b", "n": 1}]})
    assert cells == [{"model": "a", "n": 1}, {"model": "b", "n": 2}]


def test_exclude_compares_types() -> None:
    assert rules_of({"n": [1, 2], "exclude": [{"n": "1"}]}) == [("matrix-exclude", "matrix.exclude[0]")]


def test_include_as_in_the_github_documentation() -> None:
    """The worked example of https://docs.github.com/actions/using-jobs/using-a-matrix-for-your-jobs."""
    matrix = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert cells_of(matrix, ("fruit", "animal", "color", "shape")) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_only_include_gives_exactly_its_entries() -> None:
    assert cells_of({"include": [{"n": 1}, {"style": "a"}]}) == [{"n": 1}, {"style": "a"}]


def test_each_value_knows_where_it_stands() -> None:
    cells, _ = expand({"n": [1, 2], "include": [{"n": 2, "style": "x"}, {"n": 3}]}, ("n", "style"), report)
    assert [dict(cell.paths) for cell in cells] == [
        {"n": ("matrix", "n", 0)},
        {"n": ("matrix", "n", 1), "style": ("matrix", "include", 0, "style")},
        {"n": ("matrix", "include", 1, "n")},
    ]


@pytest.mark.parametrize("key", ["run", "inputs", "name", "matrix", "vars", "request_timeout", "tone"])
def test_other_keys_cannot_vary(key: str) -> None:
    assert rules_of({key: [1]}) == [("matrix-key", f"matrix.{key}")]


def test_equal_cells_are_an_error() -> None:
    assert rules_of({"n": [1, 2, 1]}) == [("matrix-duplicate", "matrix.n[2]")]
    assert rules_of({"include": [{"n": 1}, {"n": 1}]}) == [("matrix-duplicate", "matrix.include[1]")]


def test_too_many_cells_are_counted_not_made() -> None:
    assert rules_of({"n": list(range(100_000)), "style": list(range(100_000))}) == [("matrix-too-large", "matrix")]


def test_ten_thousand_cells_are_fine() -> None:
    assert len(cells_of({"n": list(range(100)), "style": list(range(100))})) == 10_000


def test_keys_that_the_command_line_decided_vary_no_more() -> None:
    cells, _ = expand({"model": ["a", "b"], "n": [1, 2]}, ("n",), report)
    assert [dict(cell.values) for cell in without_keys(cells, {"model"})] == [{"n": 1}, {"n": 2}]
    assert [dict(cell.values) for cell in without_keys(cells, {"model", "n"})] == [{}]
