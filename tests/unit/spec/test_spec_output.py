"""`output` in a spec: what becomes of it, and where in which file its mistakes are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Problem, SpecError
from runner.spec.job import JobSpec, OutputSpec
from runner.spec.json_schema import APPLIED, SAME_VALUE, circle, target
from runner.spec.load import LoadOptions, load_job

SPEC = "model: claude-haiku-5-5\nprompt: Say hello.\noutput:\n  schema: {file: reply.json}\n"
GOOD = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """`load(spec, schema_text)`: the job, its schema in reply.json."""
    (tmp_path / ".git").mkdir()

    def load(spec: str, schema: str = "", **options: Any) -> JobSpec:
        (tmp_path / "job.yaml").write_text(spec, encoding="utf-8")
        (tmp_path / "reply.json").write_text(schema, encoding="utf-8")
        return load_job(tmp_path / "job.yaml", LoadOptions(**options), env={})

    return load


def output_of(job: JobSpec) -> OutputSpec:
    output: OutputSpec = job.cells[0].fields["output"]
    return output


def problems(load: Any, schema: str, spec: str = SPEC) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        load(spec, schema)
    return list(caught.value.problems)


def test_what_is_not_said_has_a_default(load: Any) -> None:
    output = output_of(load(SPEC, json.dumps(GOOD)))
    assert (output.schema, output.mode, output.on_invalid, output.on_truncated) == (GOOD, "native", "ask_again", "fail")


def test_without_a_schema_only_truncation_is_left(load: Any) -> None:
    output = output_of(load(SPEC.replace("schema: {file: reply.json}", "on_truncated: double")))
    assert (output.schema, output.on_truncated) == (None, "double")


def test_the_schema_file_is_one_of_the_jobs_files(load: Any) -> None:
    assert [path.name for path in load(SPEC, json.dumps(GOOD)).files] == ["job.yaml", "reply.json"]


def test_the_command_line_may_change_a_part(load: Any) -> None:
    assert output_of(load(SPEC, json.dumps(GOOD), sets=("output.mode=text",))).mode == "text"


def test_the_schema_keeps_its_order_and_is_no_template(load: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"z": {"type": "string", "description": "{{ x }}"}, "a": {"type": "null"}},
    }
    job = load(SPEC, json.dumps(schema))
    assert json.dumps(output_of(job).schema) == json.dumps(schema)
    assert job.names == frozenset()


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_a_mistake_in_the_file_is_placed_there(load: Any, indent: Any) -> None:
    text = json.dumps({"type": "object", "properties": {"a": {"type": "strng"}}}, indent=indent)
    (problem,) = problems(load, text)
    assert (problem.rule, problem.path) == ("schema-invalid", "properties.a.type")
    assert problem.where is not None
    assert problem.where.file == "reply.json"
    line = text.splitlines()[problem.where.line - 1]
    assert line[problem.where.column - 1 :].startswith('"strng"')


def test_json_that_is_no_yaml_is_read_all_the_same(load: Any) -> None:
    """YAML has no such long keys and no such control characters; only the places are lost then."""
    schema = {"type": "object", "properties": {"k" * 2000: {"type": "string", "description": "\x7f \U0001f642"}}}
    assert output_of(load(SPEC, json.dumps(schema, ensure_ascii=False))).schema == schema


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "schema-invalid"),
        ("{", "schema-invalid"),
        ("[1, NaN]", "schema-invalid"),
        ("[" * 5000, "schema-invalid"),
        ('{"type": "object", "type": "array"}', "duplicate-key"),
        ('{"not": ' * 150 + "{}" + "}" * 150, "yaml-too-deep"),
        ('{"enum": [' + "1," * 10_000 + "1]}", "yaml-too-large"),
        ("null", "schema-invalid"),
        ("\ufeff[]", "schema-invalid"),
    ],
)
def test_a_file_that_holds_no_schema(load: Any, text: str, rule: str) -> None:
    assert [problem.rule for problem in problems(load, text)] == [rule]


@pytest.mark.parametrize("pattern", ["[", "\\p{L}", "a{99999999999}", "(" * 5000 + ")" * 5000])
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties"])
def test_a_pattern_that_is_no_expression_is_named(load: Any, pattern: str, keyword: str) -> None:
    part = {"pattern": pattern} if keyword == "pattern" else {"patternProperties": {pattern: {}}}
    (problem,) = problems(load, json.dumps({"properties": {"a": part}}))
    assert (problem.rule, problem.what) == ("schema-invalid", f"`{pattern[:200]}` is not a regular expression")
    assert f"a.{keyword}" in problem.path
    assert problem.next == "write it as Python's `re` reads it"


def test_a_file_outside_the_project_is_not_read(load: Any) -> None:
    (problem,) = problems(load, "", SPEC.replace("reply.json", "../reply.json"))
    assert (problem.rule, problem.path) == ("path-outside-root", "output.schema.file")


def test_a_broken_schema_brings_no_further_complaints(load: Any) -> None:
    spec = SPEC.replace("claude-haiku-5-5", "claude-sonnet-4")
    assert {problem.rule for problem in problems(load, '{"type": 7}', spec)} == {"schema-invalid", "model-retires"}


def test_cells_share_what_they_read(load: Any) -> None:
    spec = SPEC + "matrix:\n  effort: [low, high]\n"
    first, second = (cell.fields["output"] for cell in load(spec, json.dumps(GOOD)).cells)
    assert first is second


# ---------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("#", ()),
        ("#/$defs/a", ("$defs", "a")),
        ("#/$defs/a~1b", ("$defs", "a/b")),
        ("#/$defs/%C3%A9", ("$defs", "é")),
        ("#/anyOf/0", ("anyOf", 0)),
        ("#/anyOf/1", None),
        ("#/$defs", ("$defs",)),
        ("#/$defs/a/type", None),
        ("#name", None),
        ("a.json", None),
    ],
)
def test_where_a_reference_leads(reference: str, path: Any) -> None:
    schema = {"$defs": {"a": {"type": "null"}, "a/b": {}, "é": {}}, "anyOf": [{}]}
    found = target(schema, reference)
    assert (found and found[0]) == path


TREE = {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}}
LOOP = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}
LINE = {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/b"}}}, "b": {}}}
UNUSED = {"type": "object", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"properties": {"x": {"type": "null"}}}}}
NAMED = {"properties": {"$defs": {"type": "null"}, "anyOf": {"$ref": "#/properties/$defs"}}}


@pytest.mark.parametrize(
    ("schema", "contains_itself", "is_itself"),
    [(TREE, True, False), (LOOP, True, True), (LINE, False, False), (UNUSED, False, False), (NAMED, False, False)],
)
def test_circles(schema: dict[str, Any], contains_itself: bool, is_itself: bool) -> None:
    assert (circle(schema, APPLIED) is not None) == contains_itself
    assert (circle(schema, SAME_VALUE) is not None) == is_itself
