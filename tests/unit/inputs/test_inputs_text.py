"""Text lines, YAML lists and inline rows."""

from __future__ import annotations

import pytest

from runner.errors import Position, SpecError


def test_a_line_is_a_row_with_the_column_text(project):
    rows = project.file("a.txt", "\ufefffirst \n\n  \nthird\r\nlast")
    assert [(row.values, row.source.line) for row in rows] == [
        ({"text": "first "}, 1),
        ({"text": "third"}, 4),
        ({"text": "last"}, 5),
    ]


def test_other_separators_of_unicode_do_not_end_a_line(project):
    assert project.file("a.txt", "a\u2028b\x0cc\x85d\n")[0].values == {"text": "a\u2028b\x0cc\x85d"}


def test_a_line_with_a_nul_is_a_bad_row(project):
    bad, good = project.file("a.txt", "a\0b\nc\n")
    assert "NUL" in str(bad.problem)
    assert good.values == {"text": "c"}


def test_a_line_beyond_the_limit_is_a_bad_row(project, monkeypatch):
    monkeypatch.setattr("runner.inputs.text_file.MAX_TEXT", 10)
    bad, good = project.file("a.txt", "x" * 25 + "\nshort\n")
    assert "longer than 32 MB" in str(bad.problem)
    assert (good.values, good.source.line) == ({"text": "short"}, 2)


def test_yaml_rows_keep_types_and_lines(project):
    rows = project.file("a.yaml", "# rows\n- id: a\n  n: 3\n- id: 'no'\n  n: no\n")
    assert [(row.id, row.values["n"], str(row.source)) for row in rows] == [
        ("a", 3, "a.yaml:2"),
        ("no", "no", "a.yaml:4"),
    ]


def test_a_yaml_item_that_is_no_map_is_a_bad_row(project):
    good, bad = project.file("a.yml", "- a: 1\n- text\n")
    assert good.values == {"a": 1}
    assert (bad.problem.rule, str(bad.problem.where)) == ("yaml-row", "a.yml:2:3")


def test_yaml_that_is_no_list_is_an_error(project, snapshot):
    with pytest.raises(SpecError) as caught:
        project.file("a.yaml", "rows:\n  - a: 1\n")
    assert str(caught.value) == snapshot


def test_yaml_beyond_its_limits_sends_to_another_format(project):
    for data in ("- a: 1\n" * 6_000, "#" * 10_500_000):
        with pytest.raises(SpecError, match="write rows as JSON Lines"):
            project.file("a.yaml", data)


def test_an_empty_yaml_file_of_rows_is_not_sent_to_init(project):
    with pytest.raises(SpecError, match=r"the file is empty\n    write \[\] for no rows$"):
        project.file("a.yaml", "# nothing\n")


def test_inline_rows_stand_where_the_spec_wrote_them(project):
    at = (Position("job.yaml", 9, 5), Position("job.yaml", 12, 5))
    rows = project.rows(project.source("rows", rows=({"text": "a"}, {"text": "b"}), row_positions=at))
    assert [(row.id, row.values, str(row.source)) for row in rows] == [
        ("1", {"text": "a"}, "job.yaml:9"),
        ("2", {"text": "b"}, "job.yaml:12"),
    ]


def test_a_job_without_inputs_has_one_row_without_variables(project):
    (row,) = project.rows()
    assert (row.number, row.id, row.values, str(row.source)) == (1, "1", {}, "job.yaml")
