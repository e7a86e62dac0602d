"""From entries to rows: ids, `where`, `limit`, overrides, policies, several sources."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from runner.errors import Position, SpecError
from runner.spec.job import CellSpec, InputSource


def ids(rows):
    return [row.id for row in rows]


def faults(rows):
    return [row.problem and (row.problem.rule, row.problem.what) for row in rows]


def test_a_column_named_id_names_the_row_and_a_row_without_it_has_its_number(project):
    assert ids(project.file("a.csv", "id,text\nT-1,a\nT-2,b\n")) == ["T-1", "T-2"]
    assert ids(project.file("b.csv", "text\na\nb\n")) == ["1", "2"]


def test_the_number_can_be_forced(project):
    assert ids(project.file("a.csv", "id\nx\ny\n", id="#")) == ["1", "2"]


def test_an_id_may_come_from_a_column_or_a_template(project):
    data = "ticket,lang\n7,de\n8,en\n"
    assert ids(project.file("a.csv", data, id="ticket")) == ["7", "8"]
    assert ids(project.file("a.csv", data, id="{{ lang }}-{{ row.ticket }}")) == ["de-7", "en-8"]


def test_ids_that_are_numbers_take_their_json_form(project):
    rows = project.file("a.jsonl", '{"id": 7}\n{"id": 1.5}\n{"id": true}\n{"id": "x"}\n')
    assert ids(rows) == ["7", "1.5", "true", "x"]


def test_an_id_that_cannot_be_used_makes_a_bad_row(project, snapshot):
    long = "x" * 257
    rows = project.file(
        "a.jsonl",
        '{"id": ""}\n{"id": null}\n{"id": [1]}\n{"id": {}}\n{"id": "'
        + long
        + '"}\n{"id": "a\\nb"}\n{"id": "\\u2028"}\n{"id": "ü\\u00a0😀"}\n',
    )
    assert ids(rows) == ["#1", "#2", "#3", "#4", "#5", "#6", "#7", "ü\u00a0😀"]
    assert [str(row.problem) for row in rows if row.problem] == snapshot


def test_a_missing_id_column_names_near_ones(project, snapshot):
    for data in ("tickets,text\n1,a\n", "x,y\n1,2\n"):
        (row,) = project.file("a.csv", data, id="ticket")
        assert str(row.problem) == snapshot


def test_a_template_that_fails_for_an_id_names_the_row(project, snapshot):
    (row,) = project.file("a.csv", "text\na\n", id="{{ nope }}-1")
    assert row.problem.rule == "template-undefined"
    assert "in the row at a.csv:2" in row.problem.what
    assert str(row.problem.where) == "job.yaml:7:3"


def test_where_keeps_rows_and_numbers_what_is_kept(project):
    rows = project.file("a.csv", "lang,n\nde,1\nen,2\nde,3\n", where="lang == 'de'")
    assert [(row.number, row.id, row.values["n"], row.source.line) for row in rows] == [
        (1, "1", "1", 2),
        (2, "2", "3", 4),
    ]


def test_where_sees_row_and_variables(project):
    project.cell = CellSpec(
        0, {"model": "m", "who": "cell"}, {}, {"lang": "en", "who": "cell", "least": 2}, {"lang": "de"}
    )
    data = '{"n": 1, "lang": "fr"}\n{"n": 2}\n'
    assert len(project.file("a.jsonl", data, where="lang == 'de' and vars.lang == 'de' and row.n >= least")) == 1
    assert faults(project.file("a.jsonl", data, where="who == 'cell'"))[0][0] == "template-undefined"


def test_an_error_in_where_is_a_bad_row(project):
    rows = project.file("a.jsonl", '{"n": 1}\n{"m": 2}\n', where="n > 0", on_bad_row="skip")
    assert [row.problem is None for row in rows] == [True, False]
    assert "a.jsonl:2" in rows[1].problem.what
    assert rows[1].values == {}


def test_the_policy_for_bad_rows_is_the_severity_of_the_problem(project):
    data = "a,b\n1\n"
    assert project.file("a.csv", data)[0].problem.severity == "error"
    assert project.file("a.csv", data, on_bad_row="skip")[0].problem.severity == "warning"


def test_limit_counts_the_rows_of_its_source_and_stops_reading(project):
    project.write("a.csv", b"n\n1\n2\n3\n" + b"x\n" * 100_000 + b"\xff\n")
    project.write("b.csv", "n\n4\n")
    rows = project.rows(
        project.source("file", "a.csv", limit=2, where="n != '1'"), project.source("file", "b.csv", limit=5)
    )
    assert [(row.number, row.values["n"]) for row in rows] == [(1, "2"), (2, "3"), (3, "4")]


def test_overrides_leave_the_values(project):
    rows = project.file("a.jsonl", '{"a": 1, "o": {"effort": "low"}}\n{"a": 2, "o": null}\n{"a": 3}\n', overrides="o")
    assert [(row.values, row.overrides) for row in rows] == [
        ({"a": 1}, {"effort": "low"}),
        ({"a": 2}, {}),
        ({"a": 3}, {}),
    ]


def test_inline_rows_override_with_their_own_key(project):
    (row,) = project.rows(project.source("rows", rows=({"a": 1, "overrides": {"max_tokens": 5}},)))
    assert (row.values, row.overrides) == ({"a": 1}, {"max_tokens": 5})


def test_a_csv_cell_overrides_with_json(project):
    data = 'a,o\n1,"{""max_tokens"": 5}"\n2,\n3,{\n4,[1]\n5,"{""a"":1,""a"":2}"\n6,{} {}\n'
    rows = project.file("a.csv", data, overrides="o", on_bad_row="skip")
    assert [row.overrides for row in rows[:2]] == [{"max_tokens": 5}, {}]
    assert [fault and fault[0] for fault in faults(rows)] == [None, None, *["row-overrides"] * 4]


def test_sources_are_read_in_order_and_numbered_through(project):
    project.write("a.csv", "x\n1\n2\n")
    project.write("b.txt", "one\ntwo\n")
    at = (Position("job.yaml", 3),)
    rows = project.rows(
        project.source("file", "b.txt"),
        project.source("rows", rows=({"x": 0},), row_positions=at),
        project.source("file", "a.csv"),
    )
    assert [str(row.source) for row in rows] == ["b.txt:1", "b.txt:2", "job.yaml:3", "a.csv:2", "a.csv:3"]
    assert ids(rows) == ["1", "2", "3", "4", "5"]


def test_each_source_that_is_empty_is_an_error(project, snapshot):
    project.write("a.csv", "x\n1\n")
    for source in (project.source("file", "a.csv", where="x == '2'"), project.source("rows")):
        with pytest.raises(SpecError) as caught:
            project.rows(project.source("file", "a.csv"), source)
        assert str(caught.value) == snapshot


@pytest.mark.parametrize(
    ("path", "options"),
    [("a.xlsx", {}), ("a", {}), ("a.csv.gz", {}), ("-", {}), ("a.csv", {"format": "parquet"})],
)
def test_a_format_that_nothing_says_is_an_error(project, path, options, snapshot):
    project.write(path.replace("-", "a"), "x\n1\n")
    with pytest.raises(SpecError) as caught:
        project.rows(project.source("file", path, **options))
    assert caught.value.problems[0].rule == "input-format"
    assert str(caught.value) == snapshot


def test_a_format_wins_over_the_suffix(project):
    assert project.file("a.txt", "x,y\n1,2\n", format="csv")[0].values == {"x": "1", "y": "2"}
    assert project.file("A.CSV", "x\n1\n")[0].values == {"x": "1"}


def test_a_missing_file_names_near_ones(project):
    project.write("data/tickets.csv", "x\n1\n")
    with pytest.raises(SpecError, match=r"did you mean `data/tickets\.csv`"):
        project.rows(project.source("file", "data/ticket.csv"))


def test_a_file_outside_the_root_is_refused(project):
    with pytest.raises(SpecError, match="outside the project root"):
        project.rows(project.source("file", "../x.csv"))


def test_a_source_that_changes_between_two_passes_stops_the_job(project):
    for name, data in (
        ("a.csv", "x\n1\n"),
        ("a.jsonl", '{"x": 1}\n'),
        ("a.json", '[{"x": 1}]'),
        ("a.yaml", "- x: 1\n"),
        ("a.txt", "x\n"),
    ):
        path = project.write(name, data)
        source = project.source("file", name)
        assert project.rows(source) == project.rows(source)
        path.write_text(data + " \n", encoding="utf-8")
        with pytest.raises(SpecError) as caught:
            project.rows(source)
        assert caught.value.problems[0].rule == "source-changed"


def test_a_source_that_changes_while_it_is_read_stops_the_job(project):
    path = project.write("a.csv", "x\n1\n2\n")
    rows = project.stream(project.source("file", "a.csv"))
    next(rows)
    with path.open("a", encoding="utf-8") as more:
        more.write("3\n")
    with pytest.raises(SpecError, match="changed while"):
        list(rows)


def test_a_relative_file_lies_beside_the_spec(project):
    project.write("specs/data/a.csv", "x\n1\n")
    source = InputSource("file", Position("specs/job.yaml", 2, 1), project.root / "specs", path="data/a.csv")
    (row,) = project.rows(source)
    assert str(row.source) == "specs/data/a.csv:2"


@pytest.mark.parametrize(
    ("name", "head", "line"),
    [
        ("a.csv", "id,text\n", "{n},some text of row {n}\n"),
        ("a.jsonl", "", '{{"id": {n}, "text": "row {n}"}}\n'),
        ("a.txt", "", "row {n}\n"),
    ],
)
def test_memory_does_not_grow_with_the_rows(project, name, head, line):
    def peak(count: int) -> int:
        path: Path = project.root / name
        with path.open("w", encoding="utf-8", newline="") as out:
            out.write(head)
            out.writelines(line.format(n=n) for n in range(count))
        project.stamps = type(project.stamps)()
        tracemalloc.start()
        assert sum(1 for _ in project.stream(project.source("file", name))) == count
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(100)
    assert peak(20_000) < peak(2_000) + 100_000
