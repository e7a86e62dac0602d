from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Position, SpecError
from runner.records import RetryPolicy, Timeout
from runner.spec.job import JobSpec, RunSpec
from runner.spec.load import LoadOptions, load_job
from runner.spec.template import Template

BASE = "model: claude-opus-5-5\n"
ASK = BASE + "prompt: Say hello.\n"


class Project:
    """A folder with specs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, text: str, *, env: dict[str, str] | None = None, **options: Any) -> JobSpec:
        return load_job(self.write("job.yaml", text), LoadOptions(**options), env=env or {})

    def problems(self, text: str, **options: Any) -> list[tuple[str, str, int]]:
        """(rule, path, line) of each problem."""
        with pytest.raises(SpecError) as error:
            self.load(text, **options)
        return [(one.rule, one.path, one.where.line if one.where else 0) for one in error.value.problems]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / ".git").mkdir()
    return Project(tmp_path)


# ---------------------------------------------------------------- a complete record


def test_the_smallest_job_has_every_default(project: Project) -> None:
    job = project.load(ASK)
    assert (job.name, job.repeat, job.inputs, job.warnings) == ("job", 1, (), ())
    assert job.run == RunSpec()
    assert (job.run.concurrency, job.run.stream) == (None, "auto")
    assert (job.run.request_timeout, job.run.retry) == (Timeout(), RetryPolicy())
    assert [dict(cell.fields) for cell in job.cells] == [
        {"model": "claude-opus-5-5", "prompt": "Say hello.", "max_tokens": 16_000, "fallbacks": "auto"}
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [("Triage Tickets.yaml", "triage-tickets"), ("__a.b__.yml", "a-b"), ("x" * 80 + ".yaml", "x" * 64)],
)
def test_the_name_is_a_slug_of_the_file(project: Project, file: str, name: str) -> None:
    assert load_job(project.write(file, ASK), env={}).name == name


@pytest.mark.parametrize("file", ["задача.yaml", "Simulated.yaml"])
def test_a_file_that_gives_no_name_asks_for_one(project: Project, file: str) -> None:
    with pytest.raises(SpecError) as error:
        load_job(project.write(file, ASK), env={})
    assert error.value.problems[0].next == "add `name: my-job`"
    assert load_job(project.write(file, ASK + "name: mine\n"), env={}).name == "mine"


def test_every_file_read_is_listed(project: Project) -> None:
    project.write("prompts/a.md", "{{ text }}\n")
    job = project.load(BASE + "prompt: {file: prompts/a.md}\nsystem: [{file: prompts/a.md}]\n")
    assert [path.relative_to(project.root.resolve()).as_posix() for path in job.files] == ["job.yaml", "prompts/a.md"]


def test_a_prompt_file_keeps_its_newline_and_its_own_place(project: Project) -> None:
    project.write("prompts/a.md", "First.\n{{ text }}\n")
    prompt = project.load(BASE + "prompt: {file: prompts/a.md}\n").cells[0].fields["prompt"]
    assert isinstance(prompt, Template)
    assert (prompt.source, prompt.where) == ("First.\n{{ text }}\n", Position("prompts/a.md", 1, 1))
    assert prompt.render({"text": "x"}) == "First.\nx\n"


def test_paths_are_relative_to_the_spec_and_shown_from_the_root(project: Project) -> None:
    project.write("prompts/a.md", "hello\n")
    spec = project.write("specs/deep/job.yaml", BASE + "prompt: {file: ../../prompts/a.md}\n")
    assert load_job(spec, env={}).cells[0].fields["prompt"] == "hello\n"
    spec.write_text(BASE + "prompt: {file: a.md}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"^specs/deep/job\.yaml:2:16: prompt\.file: "):
        load_job(spec, env={})


@pytest.mark.parametrize(
    ("written", "thinking"),
    [
        ("adaptive", {"type": "adaptive"}),
        ("off", {"type": "disabled"}),
        ("{type: off}", {"type": "disabled"}),
        ("{type: adaptive, display: omitted}", {"type": "adaptive", "display": "omitted"}),
    ],
)
def test_thinking_takes_the_shape_of_the_api(project: Project, written: str, thinking: dict[str, str]) -> None:
    job = project.load(f"model: claude-opus-4-6\nprompt: a\nthinking: {written}\n")
    assert job.cells[0].fields["thinking"] == thinking


def test_names_are_those_of_fields_ids_and_filters(project: Project) -> None:
    job = project.load(
        BASE + 'prompt: "{{ a }}"\nmetadata: {user_id: "{{ b }}"}\n'
        'inputs: [{rows: [{a: 1}, {a: 2}], id: "{{ c }}", where: "d > 1"}]\n'
    )
    assert job.names == {"a", "b", "c", "d"}


def test_a_source_has_its_options_and_its_rows_their_places(project: Project) -> None:
    (source,) = project.load(BASE + 'prompt: "{{ a }}"\ninputs:\n  - {a: 1}\n  - {a: 2}\n').inputs
    assert (source.kind, [dict(row) for row in source.rows]) == ("rows", [{"a": 1}, {"a": 2}])
    assert [position.line for position in source.row_positions] == [4, 5]


def test_a_row_with_a_column_of_a_sources_key_is_a_row(project: Project) -> None:
    (source,) = project.load(BASE + 'prompt: "{{ text }}"\ninputs: [{file: a.csv, text: b}]\n').inputs
    assert source.kind == "rows"


# ---------------------------------------------------------------- all problems at once


def test_all_problems_come_together_in_the_order_of_the_text(project: Project) -> None:
    text = """modle: claude-opus-5-5
prompt: "{{ text "
system: {file: nope.md}
vars: {team: {env: TEAM}}
inputs: {file: rows.csv}
matrix: {style: [short]}
run: {concurency: 3, request_timeout: 0}
repeat: 0
"""
    assert project.problems(text, sets=("run.retry.max=x",), vars=("tone=1",)) == [
        ("unknown-key", "modle", 1),
        ("template-syntax", "prompt", 2),
        ("file-not-found", "system.file", 3),
        ("env-missing", "vars.team.env", 4),
        ("file-not-found", "inputs.file", 5),
        ("matrix-key", "matrix.style", 6),
        ("unknown-key", "run.concurency", 7),
        ("out-of-range", "run.request_timeout", 7),
        ("out-of-range", "repeat", 8),
        ("wrong-type", "run.retry.max", 0),
        ("unknown-var", "", 0),
    ]


def test_a_key_with_a_problem_is_not_called_missing(project: Project) -> None:
    assert project.problems("model: 5\nprompt: [a]\n") == [("wrong-type", "model", 1), ("wrong-type", "prompt", 2)]


def test_a_problem_that_all_cells_share_is_told_once(project: Project) -> None:
    text = ASK + "thinking: off\nmatrix: {max_tokens: [1, 2, 3]}\n"
    assert project.problems(text) == [("thinking-refused", "thinking", 3)]


def test_a_value_of_the_matrix_is_reported_at_its_own_place(project: Project) -> None:
    text = "prompt: a\nmatrix:\n  model:\n    - claude-opus-5-5\n    - claude-haiku-4-5\n  effort:\n    - high\n"
    assert project.problems(text) == [("effort-refused", "matrix.effort[0]", 7)]


@pytest.mark.parametrize("name", ["MY_TOKEN", "API_KEY", "aws_secret", "PASSWORD"])
def test_names_of_credentials_are_refused_even_when_unset(project: Project, name: str) -> None:
    text = BASE + f'prompt: "{{{{ x }}}}"\nvars: {{x: {{env: {name}}}}}\n'
    assert project.problems(text) == [("env-credential", "vars.x.env", 3)]


def test_ordinary_variables_are_read(project: Project) -> None:
    text = BASE + 'prompt: "{{ x }}"\nvars: {x: {env: MAX_TOKENS}}\n'
    assert project.load(text, env={"MAX_TOKENS": "5"}).cells[0].vars == {"x": "5"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_spec_that_is_a_pipe_is_refused_unread(project: Project) -> None:
    """Nobody writes into it, so reading it would never end."""
    os.mkfifo(project.root / "job.yaml")  # type: ignore[attr-defined,unused-ignore]  # not on Windows
    with pytest.raises(SpecError, match="this is not a regular file\n    write the spec into a file"):
        load_job(project.root / "job.yaml", env={})


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_a_match_that_is_no_expression_is_said_so(project: Project, pattern: str) -> None:
    text = ASK + f"inputs: {{glob: '*.txt', match: '{pattern}'}}\n"
    assert project.problems(text) == [("match-syntax", "inputs.match", 3)]


def test_a_missing_spec_names_near_ones(project: Project) -> None:
    project.write("triage.yaml", ASK)
    with pytest.raises(SpecError) as error:
        load_job(project.root / "triag.yaml", env={})
    assert error.value.problems[0].next == f"did you mean `{(project.root / 'triage.yaml').as_posix()}`?"


# ---------------------------------------------------------------- precedence


def test_var_wins_over_matrix_and_env(project: Project) -> None:
    text = BASE + 'prompt: "{{ a }} {{ b }}"\nvars: {a: 1, b: {env: UNSET}}\nmatrix: {a: [2, 3]}\n'
    job = project.load(text, vars=("a=9", "b=8"))
    assert [(dict(cell.values), cell.vars, cell.cli_vars) for cell in job.cells] == [
        ({}, {"a": 9, "b": 8}, {"a": 9, "b": 8})
    ]


def test_set_wins_over_the_matrix(project: Project) -> None:
    text = ASK + "matrix: {model: [claude-opus-5-5, claude-haiku-5-5], max_tokens: [1, 2]}\n"
    job = project.load(text, sets=("model=claude-sonnet-5-5",))
    assert [cell.fields["model"] for cell in job.cells] == ["claude-sonnet-5-5"] * 2
    assert [dict(cell.values) for cell in job.cells] == [{"max_tokens": 1}, {"max_tokens": 2}]
    assert job.set_fields == {"model"}


def test_the_matrix_wins_over_the_spec(project: Project) -> None:
    text = ASK + "effort: low\nmatrix: {output_config: [{effort: high}, {effort: max}]}\n"
    assert [cell.fields["effort"] for cell in project.load(text).cells] == ["high", "max"]


def test_strings_of_the_matrix_are_templates_and_vars_are_not(project: Project) -> None:
    text = BASE + 'prompt: "{{ a }} {{ b }}"\nvars: {a: 0, b: "{{ raw }}"}\nmatrix: {a: ["{{ text }}"]}\n'
    variables = project.load(text).cells[0].vars
    assert isinstance(variables["a"], Template)
    assert variables["b"] == "{{ raw }}"


def test_a_value_is_compiled_once_however_many_cells_use_it(project: Project) -> None:
    text = 'prompt: "{{ n }}"\nvars: {n: 0}\nmatrix:\n  model: [claude-opus-5-5, claude-haiku-5-5]\n  n: [1, 2, 3]\n'
    assert len({id(cell.fields["prompt"]) for cell in project.load(text).cells}) == 1


# ---------------------------------------------------------------- hostile input


@given(st.text(max_size=200))
def test_any_text_is_a_job_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SpecError):
        load_job(path, env={})


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 50_000)
    | st.sampled_from(
        ["a", "", " ", "{{ a }}", "{{", "off", "10m", "-", "high", "claude-opus-5-5", "user", "system", "../a", "\x00"]
    )
)
_KEYS = st.sampled_from(
    ["model", "prompt", "system", "messages", "role", "content", "text", "file", "type", "thinking", "effort", "run",
     "retry", "max", "inputs", "rows", "glob", "id", "where", "match", "matrix", "include", "exclude", "vars", "env",
     "output_config", "extra_body", "stop_sequences", "metadata", "user_id", "request_timeout", "overrides", "x y"]
)  # fmt: skip
_TREES = st.dictionaries(
    _KEYS,
    st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3)),
    max_size=6,
)


@given(_TREES)
def test_any_tree_is_a_job_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_text(json.dumps({"model": "claude-opus-5-5", "prompt": "a", **tree}), encoding="utf-8")
    try:
        job = load_job(path, env={})
    except SpecError:
        return
    assert job.cells
