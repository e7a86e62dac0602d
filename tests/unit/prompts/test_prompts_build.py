"""Rows into requests: the exact bodies, who wins over whom, and what is said about a row that fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from request_key import request_key
from syrupy.assertion import SnapshotAssertion

from runner.errors import Position, Problem, SpecError
from runner.prompts.build import RequestBuilder
from runner.prompts.problems import SeveralProblems
from runner.records import Request, RetryPolicy, Row, Source
from runner.spec.job import JobSpec

MakeJob = Callable[..., JobSpec]
MakeRow = Callable[..., Row]
BASE = {"model": "claude-opus-5-5", "max_tokens": 2000}


def build(job: JobSpec, *rows: Row) -> list[Request]:
    return list(RequestBuilder(job, service="anthropic").requests(rows))


def only(job: JobSpec, row: Row) -> Request:
    (request,) = build(job, row)
    return request


def body(request: Request) -> Any:
    assert request.problem is None, request.problem
    return json.loads(request.body)


# ---------------------------------------------------------------- bodies


def test_exact_body_of_everything(make_job: MakeJob, make_row: MakeRow, snapshot: SnapshotAssertion) -> None:
    job = make_job(
        {
            "extra_body": {"inference_geo": "{{ geo }}", "output_config": {"task_budget": {"total": "{{ 2 * 10 }}"}}},
            "service_tier": "standard_only",
            "metadata": {"user_id": "{{ text | length }}x"},
            "stop_sequences": ["END", "{{ text }}"],
            "effort": "high",
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "prompt": "Classify <this> & that:\n{{ text }}\n",
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Tone: {{ vars.tone }}"}],
            **BASE,
        },
        vars={"tone": "dry"},
    )
    request = only(job, make_row(text="Grüße", geo="us"))
    assert request.body.decode() == snapshot
    assert (request.model, request.max_tokens) == ("claude-opus-5-5", 2000)
    assert request.key == request_key("anthropic", ("task-budgets-2026-03-13",), body(request), 0)


def test_exact_body_of_a_conversation(make_job: MakeJob, make_row: MakeRow, snapshot: SnapshotAssertion) -> None:
    messages = [
        {"role": "user", "content": "I am {{ name }}."},
        {"role": "assistant", "content": "Hello."},
        {"role": "system", "content": [{"type": "text", "text": "Be {{ tone | default('kind') }}."}]},
        {"role": "user", "content": [{"type": "text", "text": "{{ count }}"}]},
    ]
    request = only(make_job({**BASE, "system": "{{ name }}", "messages": messages}), make_row(name="Ann", count=7))
    assert request.problem is None
    assert request.body.decode() == snapshot


def test_a_body_without_templates_is_the_same_for_every_row(make_job: MakeJob, make_row: MakeRow) -> None:
    first, second = build(make_job({**BASE, "prompt": "Hello."}), make_row(1, a="x"), make_row(2, a="y"))
    assert first.body == second.body
    assert first.key == second.key
    assert (first.n, second.n) == (0, 1)


def test_typed_fields(make_job: MakeJob, make_row: MakeRow) -> None:
    fields = {
        "model": "{{ row.model }}",
        "max_tokens": "{{ row.budget }}",
        "effort": "{{ row.effort }}",
        "thinking": "{{ row.thinking }}",
        "stop_sequences": "{{ row.stops }}",
        "prompt": "{{ row.data }}",
    }
    row = make_row(model="m", budget=9, effort="low", thinking="off", stops=["a"], data={"é": [1, None, True]})
    request = only(make_job(fields), row)
    assert body(request) == {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": '{"é":[1,null,true]}'}],
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "low"},
        "stop_sequences": ["a"],
    }
    assert (request.model, request.max_tokens) == ("m", 9)


def test_a_lone_expression_may_give_blocks(make_job: MakeJob, make_row: MakeRow) -> None:
    job = make_job({**BASE, "system": "{{ blocks }}", "prompt": "x"})
    blocks = ["one", {"text": "two"}, {"type": "text", "text": "three"}]
    made = body(only(job, make_row(blocks=blocks)))["system"]
    assert made == [{"type": "text", "text": text} for text in ("one", "two", "three")]
    bad = only(job, make_row(blocks=[{"type": "image", "source": "/etc/passwd"}])).problem
    assert bad is not None
    assert bad.rule == "wrong-value"


# ---------------------------------------------------------------- order and precedence


def test_order_is_row_cell_repeat(make_job: MakeJob, make_row: MakeRow) -> None:
    fields = {**BASE, "prompt": "{{ style }} {{ text }} {{ repeat }}"}
    cells = [{"fields": fields, "values": {"style": style}, "vars": {"style": style}} for style in ("a", "b")]
    made = build(make_job(cells=cells, repeat=2), make_row(1, text="x"), make_row(2, text="y"))
    assert [(one.n, one.id, one.cell["style"], one.repeat) for one in made] == [
        (n, id, style, repeat)
        for n, (id, style, repeat) in enumerate((i, s, r) for i in ("r1", "r2") for s in "ab" for r in (0, 1))
    ]
    assert [body(one)["messages"][0]["content"] for one in made[:4]] == ["a x 0", "a x 1", "b x 0", "b x 1"]
    assert len({one.key for one in made}) == 8


def test_repeats_of_one_text_are_different_requests(make_job: MakeJob, make_row: MakeRow) -> None:
    first, second = build(make_job(repeat=2), make_row(text="x"))
    assert first.body == second.body
    assert first.key != second.key


def test_precedence_of_names(make_job: MakeJob, make_row: MakeRow) -> None:
    names = ("a", "b", "c", "d")
    job = make_job(
        {**BASE, "prompt": " ".join("{{ " + name + " }}" for name in names)},
        vars={"a": "var", "b": "var", "c": "matrix", "d": "cli"},
        values={"c": "matrix"},
        cli_vars={"d": "cli"},
    )
    request = only(job, make_row(b="row", c="row", d="row"))
    assert body(request)["messages"][0]["content"] == "var row matrix cli"


def test_row_vars_matrix_and_repeat_are_always_there(make_job: MakeJob, make_row: MakeRow) -> None:
    prompt = "{{ row.row }} {{ row['matrix'] }} {{ vars.a }} {{ matrix.effort }} {{ repeat }}"
    job = make_job({**BASE, "prompt": prompt}, vars={"a": 1}, values={"effort": "low"})
    row = make_row(row="R", matrix="M", vars="V", repeat="N")
    assert body(only(job, row))["messages"][0]["content"] == "R M 1 low 0"


def test_a_variable_that_the_matrix_sets_to_a_template(make_job: MakeJob, make_row: MakeRow) -> None:
    job = make_job(
        {**BASE, "prompt": "{{ greeting }} {{ vars.greeting }} {{ matrix.greeting }}"},
        vars={"greeting": "Hello {{ name }}"},
        values={"greeting": "Hello {{ name }}"},
    )
    assert body(only(job, make_row(name="Ann", greeting="no")))["messages"][0]["content"] == " ".join(["Hello Ann"] * 3)


def test_values_of_rows_are_sent_as_they_are(make_job: MakeJob, make_row: MakeRow) -> None:
    hostile = "{{ 7 * 7 }} {% raw %} {# x #}"
    assert body(only(make_job(), make_row(text=hostile)))["messages"][0]["content"] == f"Classify: {hostile}"


class FileRow(dict[str, Any]):
    """A file's row: its text is read when it is asked for, and counted."""

    reads = 0

    def __missing__(self, key: str) -> Any:
        if key != "text":
            raise KeyError(key)
        self.reads += 1
        if self.get("path") == "gone.md":
            raise SpecError("`gone.md` is not UTF-8", where=Position("gone.md"), rule="wrong-encoding")
        return "the text"


@pytest.mark.parametrize(
    ("prompt", "reads"),
    [("{{ path }}", 0), ("{{ text }}", 1), ("{{ row.text }}", 1), ("{% include 'part.md' %}", 1)],
)
def test_a_file_is_read_only_for_templates_that_use_its_text(
    make_job: MakeJob, tmp_path: Path, prompt: str, reads: int
) -> None:
    (tmp_path / "part.md").write_text("{{ text }}", encoding="utf-8")
    values = FileRow(path="a.md")
    request = only(make_job({**BASE, "prompt": prompt}), Row(1, "a.md", values, Source("a.md")))
    assert body(request)["messages"][0]["content"] == ("the text" if reads else "a.md")
    assert values.reads == reads
    assert dict(request.row) == {"path": "a.md"}


def test_a_file_that_cannot_be_read_is_a_bad_row(make_job: MakeJob) -> None:
    row = Row(1, "gone.md", FileRow(path="gone.md"), Source("gone.md"))
    problem = only(make_job({**BASE, "prompt": "{{ text }}"}), row).problem
    assert problem is not None
    assert (problem.rule, str(problem.where)) == ("wrong-encoding", "gone.md")


# ---------------------------------------------------------------- row overrides


def test_a_row_wins_over_the_cell(make_job: MakeJob, make_row: MakeRow) -> None:
    job = make_job({**BASE, "effort": "low", "prompt": "{{ text }}"}, values={"effort": "low"})
    changes = {"max_tokens": 5, "effort": "max", "thinking": "off", "system": [{"text": "Be {{ odd }}."}]}
    request = only(job, make_row(text="x", overrides=changes))
    made = body(request)
    assert (made["max_tokens"], made["output_config"], made["thinking"]) == (5, {"effort": "max"}, {"type": "disabled"})
    assert made["system"] == [{"type": "text", "text": "Be {{ odd }}."}]
    assert request.max_tokens == 5


def test_set_wins_over_the_row(make_job: MakeJob, make_row: MakeRow) -> None:
    job = make_job(set_fields=frozenset({"max_tokens"}))
    request = only(job, make_row(text="x", overrides={"max_tokens": 5, "model": "m"}))
    assert (request.max_tokens, request.model) == (2000, "m")


def test_a_row_has_its_own_timeout_and_retries(make_job: MakeJob, make_row: MakeRow) -> None:
    changes = {"request_timeout": "30s", "retry": {"max": 1}}
    own, plain = build(make_job(), make_row(1, text="x", overrides=changes), make_row(2, text="y"))
    assert own.timeout is not None
    assert own.timeout.total == 30
    assert own.retry == replace(RetryPolicy(), max=1)
    assert (plain.timeout, plain.retry) == (None, None)


def test_an_overridden_template_is_not_rendered(make_job: MakeJob, make_row: MakeRow) -> None:
    request = only(make_job({**BASE, "prompt": "{{ nope }}"}), make_row(overrides={"prompt": "literal {{ x }}"}))
    assert body(request)["messages"][0]["content"] == "literal {{ x }}"


@pytest.mark.parametrize(
    "overrides",
    [
        {"max_tokens": "many"},
        {"run": {}},
        {"tools": []},
        {"system": {"file": "x.md"}},
        {"maxtokens": 5},
        {"prompt": " "},
    ],
)
def test_overrides_that_do_not_work(
    make_job: MakeJob, make_row: MakeRow, overrides: Mapping[str, Any], snapshot: SnapshotAssertion
) -> None:
    request = only(make_job(), make_row(text="x", overrides=overrides))
    assert (request.key, request.body) == ("", b"")
    assert str(request.problem) == snapshot


# ---------------------------------------------------------------- rows that fail


@pytest.mark.parametrize(
    ("name", "fields", "values"),
    [
        ("undefined", {"prompt": "a\n{{ txt }}"}, {"text": "x"}),
        ("null", {"prompt": "a {{ text }}"}, {"text": None}),
        ("null-alone", {"prompt": "{{ text }}"}, {"text": None}),
        ("empty", {"prompt": "{{ text }}\n"}, {"text": " "}),
        ("empty-block", {"system": [{"type": "text", "text": "{{ text }}"}], "prompt": "x"}, {"text": ""}),
        ("empty-message", {"messages": [{"role": "user", "content": "{{ text }}"}]}, {"text": ""}),
        ("text-for-a-number", {"max_tokens": "{{ row.text }}", "prompt": "x"}, {"text": "500"}),
        ("effort", {"effort": "{{ text }}", "prompt": "x"}, {"text": "hihg"}),
        ("model", {"model": "{{ text }}", "prompt": "x"}, {"text": ""}),
        ("huge-number", {"extra_body": {"n": "{{ 2 ** 70 }}"}, "prompt": "x"}, {}),
        ("half-character", {"prompt": "{{ '\\ud800' }}"}, {}),
        ("several", {"system": "{{ one }}", "prompt": "{{ two }}", "max_tokens": "{{ three }}"}, {}),
    ],
)
def test_problems_name_the_template_and_the_row(
    make_job: MakeJob,
    make_row: MakeRow,
    name: str,
    fields: dict[str, Any],
    values: dict[str, Any],
    snapshot: SnapshotAssertion,
) -> None:
    request = only(make_job({**BASE, **fields}), make_row(9000, **values))
    problem = request.problem
    assert problem is not None
    assert (request.key, request.body) == ("", b"")
    others = problem.others if isinstance(problem, SeveralProblems) else ()
    assert "\n".join(map(str, (problem, *others))) == snapshot(name=name)


def test_a_row_that_could_not_be_read_keeps_its_places_in_the_plan(make_job: MakeJob, make_row: MakeRow) -> None:
    problem = Problem("csv-row", "the line has 3 cells", Position("data/t.csv", 2), severity="warning")
    bad = Row(1, "1", {}, Source("data/t.csv", 2), problem=problem)
    made = build(make_job(repeat=2), bad, make_row(2, text="x"))
    assert [(one.n, one.repeat, one.problem) for one in made] == [
        (0, 0, problem),
        (1, 1, problem),
        (2, 0, None),
        (3, 1, None),
    ]


@pytest.mark.parametrize(("skip", "severity"), [(False, "error"), (True, "warning")])
def test_the_source_of_a_row_decides_how_bad_it_is(
    make_job: MakeJob, make_row: MakeRow, skip: bool, severity: str
) -> None:
    problem = only(make_job(), replace(make_row(), skip=skip)).problem
    assert problem is not None
    assert problem.severity == severity


def test_rows_are_consumed_one_by_one(make_job: MakeJob, make_row: MakeRow) -> None:
    taken = []

    def rows() -> Iterator[Row]:
        for number in range(1, 4):
            taken.append(number)
            yield make_row(number, text="x")

    requests = RequestBuilder(make_job(), service="anthropic").requests(rows())
    assert taken == []
    next(requests)
    assert taken == [1]


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(
        st.sampled_from(["text", "row", "vars", "repeat", "items", "x"]) | st.text(), HOSTILE, max_size=4
    ),
    overrides=st.dictionaries(
        st.sampled_from([*BASE, "system", "prompt", "thinking", "stop_sequences", "run"]), HOSTILE, max_size=2
    ),
)
def test_hostile_rows_make_a_request_or_a_problem(make_job: MakeJob, values: Any, overrides: Any) -> None:
    fields = {**BASE, "system": "{{ text }}", "prompt": "{{ row }}{{ x }}", "stop_sequences": "{{ x }}"}
    request = only(make_job(fields), Row(1, "r1", values, Source("<stdin>", 1), overrides))
    if request.problem is None:
        assert request.key == request_key("anthropic", (), json.loads(request.body), 0)
    else:
        assert request.problem.rule
        assert "r1" in str(request.problem)
