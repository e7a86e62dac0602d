from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Position
from runner.spec.document import path_text
from runner.spec.overrides import apply_sets, parse_path, read_vars, without_path
from runner.spec.yaml_reader import read_yaml

SPEC = b"""model: claude-opus-5-5
run:
  retry: {max: 5}
messages:
  - {role: user, content: hello}
"""


def set_in_spec(*arguments: str) -> Any:
    doc, _, problems = apply_sets(read_yaml(SPEC, file="job.yaml"), arguments)
    assert problems == []
    return doc.value


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x=3", 3),
        ("x=0.5", 0.5),
        ("x=true", True),
        ("x=no", "no"),
        ("x=007", "007"),
        ("x=a: b", "a: b"),
        ("x={{ text }}", "{{ text }}"),
        ("x=[a, 2]", ["a", 2]),
        ("x={a: 1}", {"a": 1}),
        ("x='3'", "3"),
        ("x=a=b", "a=b"),
        ("x=Grüße", "Grüße"),
    ],
)
def test_values_follow_the_rules_of_the_language(argument: str, value: Any) -> None:
    found = set_in_spec(argument)["x"]
    assert (found, type(found)) == (value, type(value))


def test_a_deep_path_replaces_one_value_and_makes_what_is_missing() -> None:
    value = set_in_spec("run.retry.base=2s", "run.request_timeout.total=5m", "messages[0].content=bye")
    assert value["run"] == {"retry": {"max": 5, "base": "2s"}, "request_timeout": {"total": "5m"}}
    assert value["messages"] == [{"role": "user", "content": "bye"}]


def test_null_takes_a_top_level_key_away() -> None:
    assert "run" not in set_in_spec("run=null")
    assert set_in_spec("run.stream=null")["run"]["stream"] is None


def test_the_last_one_wins() -> None:
    assert set_in_spec("run.retry={max: 1}", "run.retry.max=2")["run"]["retry"] == {"max": 2}


def test_an_alias_is_changed_in_one_place_only() -> None:
    doc = read_yaml(b"a: &a {x: 1}\nb: *a\n", file="job.yaml")
    assert apply_sets(doc, ["a.x=2"])[0].value == {"a": {"x": 2}, "b": {"x": 1}}


def test_what_was_set_stands_at_its_argument_and_the_rest_in_the_file() -> None:
    doc, paths, _ = apply_sets(read_yaml(SPEC, file="job.yaml"), ["run.retry.max=x"])
    assert paths == [("run", "retry", "max")]
    assert doc.where(("run", "retry", "max")) == Position("--set run.retry.max=x")
    assert doc.where(("run", "retry")) == Position("job.yaml", 3, 10)


def test_a_later_set_of_the_whole_hides_the_place_of_its_part() -> None:
    doc, _, _ = apply_sets(read_yaml(SPEC, file="job.yaml"), ["run.stream=true", "run={stream: false}"])
    assert doc.where(("run", "stream")) == Position("--set run={stream: false}")


@pytest.mark.parametrize(
    "argument", ["x", "=3", "[0]=3", "a..b=3", "model.x=3", "messages[1].role=user", "x=[a", "x=1e999"]
)
def test_a_set_that_cannot_be_is_a_problem_at_the_argument(argument: str) -> None:
    doc = read_yaml(SPEC, file="job.yaml")
    changed, written, problems = apply_sets(doc, [argument])
    assert [problem.where for problem in problems] == [Position(f"--set {argument}")]
    assert (changed.value, written) == (doc.value, [])


def test_no_message_repeats_a_credential() -> None:
    _, _, problems = apply_sets(read_yaml(SPEC, file="job.yaml"), ["model.x=sk-ant-api03-0123456789abcdefghijklmnop"])
    assert "0123456789" not in "".join(map(str, problems))


def test_vars_are_typed_and_the_last_wins() -> None:
    assert read_vars(["n=3", "s=no", "n=4"], ["n", "s"]) == ({"n": 4, "s": "no"}, [])


def test_an_undeclared_var_is_a_problem_with_near_names() -> None:
    values, problems = read_vars(["stile=long"], ["style"])
    assert values == {}
    assert [(problem.rule, problem.next) for problem in problems] == [("unknown-var", "did you mean `style`?")]


@given(st.text(), st.lists(st.one_of(st.text(), st.integers(0, 99_999))))
def test_a_path_reads_back_as_it_is_shown(first: str, rest: list[str | int]) -> None:
    path = (first, *rest)
    assert parse_path(path_text(path)) == path


def test_cutting_out_a_part_keeps_the_places_of_list_items() -> None:
    tree = {"a": [{"x": 1, "y": 2}, {"x": 3}], "b": 1}
    assert without_path(tree, ("a", 0, "x")) == {"a": [{"y": 2}, {"x": 3}], "b": 1}
    assert without_path(tree, ("a", 0)) == tree
    assert without_path(tree, ("b",)) == {"a": tree["a"]}
