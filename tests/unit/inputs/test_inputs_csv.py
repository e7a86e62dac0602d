"""CSV and TSV: what is a row, what is a bad row, and where each stands."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import SpecError
from runner.inputs import entry
from runner.records import Row


def problem_of(row: Row) -> str:
    assert row.problem is not None
    assert row.values == {}
    return str(row.problem)


def test_cells_are_strings_and_empty_cells_are_empty_strings(project):
    rows = project.file("a.csv", "name,count,note\nAda,3,\n")
    assert rows[0].values == {"name": "Ada", "count": "3", "note": ""}


def test_rows_know_the_line_they_start_on(project):
    rows = project.file("data/a.csv", 'a,b\n1,"two\nlines"\n\n3,4\n')
    assert [str(row.source) for row in rows] == ["data/a.csv:2", "data/a.csv:5"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(project, end):
    rows = project.file("a.csv", end.join(["a,b", "1,2", "3,4", ""]))
    assert [row.values for row in rows] == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [row.source.line for row in rows] == [2, 3]


def test_a_line_end_inside_quotes_is_kept_as_written(project):
    assert project.file("a.csv", 'a\r\n"x\r\ny"\r\n')[0].values == {"a": "x\r\ny"}


def test_a_byte_order_mark_is_not_part_of_the_first_name(project):
    assert project.file("a.csv", b"\xef\xbb\xbfname\nAda\n")[0].values == {"name": "Ada"}


def test_tsv_separates_by_tabs_only(project):
    assert project.file("a.tsv", "a\tb\n1,5\t2\n")[0].values == {"a": "1,5", "b": "2"}


@pytest.mark.parametrize(("name", "header"), [("a.csv", "Id;Name"), ("a.csv", "Id\tName"), ("a.tsv", "Id;Name")])
def test_another_separator_is_named_before_any_row_is_read(project, name, header):
    with pytest.raises(SpecError) as caught:
        project.file(name, f"\ufeff{header}\r\n1;2\r\n")
    (problem,) = caught.value.problems
    assert (problem.rule, str(problem.where)) == ("csv-header", f"{name}:1")
    assert "the header is one column, `Id" in problem.what
    assert "`format: tsv`" in problem.next


def test_a_name_among_others_may_hold_a_separator(project):
    assert project.file("a.csv", "size;cm,n\n7,1\n")[0].values == {"size;cm": "7", "n": "1"}


def test_nothing_is_trimmed_or_converted(project):
    assert project.file("a.csv", "a,b\n 007 ,null\n")[0].values == {"a": " 007 ", "b": "null"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1", "the row has 1 cell, the header 2"),
        ("1,2,3", "the row has 3 cells, the header 2"),
        ('1,"x"y', "text follows the closing quote of a cell"),
        ("1,x\0y", "it holds a NUL byte"),
        ('\0,"x"y', "text follows the closing quote of a cell"),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_is_read(project, line, said):
    bad, good = project.file("a.csv", f"a,b\n{line}\n3,4\n")
    assert said in problem_of(bad)
    assert str(bad.problem.where) == "a.csv:2"
    assert good.values == {"a": "3", "b": "4"}
    assert good.problem is None
    assert good.source.line == 3


def test_a_quote_that_is_never_closed_is_named_where_it_opens(project):
    good, bad = project.file("a.csv", 'a,b\n1,2\n3,"open\n5,6\n')
    assert good.problem is None
    assert "a quote opened in it is never closed" in problem_of(bad)
    assert bad.source.line == 3


def test_a_cell_beyond_the_limit_is_a_bad_row(project, monkeypatch):
    # the real limit would need a file of 32 MB for each case
    monkeypatch.setattr("runner.inputs.readers.csv_rows.MAX_TEXT", 100)
    bad, *_ = project.file("a.csv", "a\n" + '"' + "xxxx\n" * 40 + '"\n1\n')
    csv.field_size_limit(entry.MAX_TEXT)
    assert "a cell is larger than 32 MB" in problem_of(bad)


def test_a_line_beyond_the_limit_is_a_bad_row_and_the_next_one_is_read(project, monkeypatch):
    monkeypatch.setattr("runner.inputs.text_file.MAX_TEXT", 100)
    first, bad, last = project.file("a.csv", "a,b\n1,2\n" + "x" * 350 + ",2\n5,6\n")
    assert first.values == {"a": "1", "b": "2"}
    assert "a line of it is longer than 32 MB" in problem_of(bad)
    assert last.values == {"a": "5", "b": "6"}
    assert [first.source.line, bad.source.line, last.source.line] == [2, 3, 4]


def test_a_cell_of_a_megabyte_is_read(project):
    assert len(project.file("a.csv", "a\n" + "x" * 1_000_000 + "\n")[0].values["a"]) == 1_000_000


def test_every_fault_of_a_header_is_named_at_once(project, snapshot):
    with pytest.raises(SpecError) as caught:
        project.file("a.csv", "\n\nid,name,,name, \n1,2,3,4,5\n")
    assert str(caught.value) == snapshot
    assert {problem.rule for problem in caught.value.problems} == {"csv-header"}


def test_columns_without_a_name_are_no_namesakes(project):
    with pytest.raises(SpecError) as caught:
        project.file("a.csv", "a,,\n1,2,3\n")
    assert [problem.what[:8] for problem in caught.value.problems] == ["column 2", "column 3"]


def test_a_header_with_a_nul_or_an_open_quote_is_an_error(project):
    for header, said in (("a\0b,c", "^a.csv:2: .*NUL"), ('"a,b', "never closed")):
        with pytest.raises(SpecError, match=said):
            project.file("a.csv", f"\n{header}\n1,2\n")


def test_utf_16_without_a_mark_is_taken_for_what_it_is(project):
    with pytest.raises(SpecError, match=r"\n    is this a text file in UTF-8\?$"):
        project.file("a.csv", "a,b\n1,2\n".encode("utf-16-le"))
    bad, _ = project.file("a.csv", "a,b\n1,x\0y\n3,4\n")
    assert bad.problem.next == "is this a text file in UTF-8?"


def test_a_file_with_a_header_alone_has_no_rows(project, snapshot):
    with pytest.raises(SpecError) as caught:
        project.file("a.csv", "a,b\n")
    assert str(caught.value) == snapshot
    assert project.rows(project.source("file", "a.csv", on_empty="ok")) == []


def test_a_wrong_encoding_names_file_byte_and_line(project, snapshot):
    text = "a,b\n" + "x,y\n" * 50_000 + "Zürich,1\n"
    with pytest.raises(SpecError) as caught:
        project.file("data/a.csv", text.encode("latin-1"))
    assert str(caught.value) == snapshot
    assert "byte 0xfc at offset 200005" in str(caught.value)


def test_utf_16_is_recognised(project):
    with pytest.raises(SpecError, match="iconv -f UTF-16"):
        project.file("a.csv", "a,b\n1,2\n".encode("utf-16"))


def test_a_character_cut_at_the_end_of_the_file_is_a_wrong_encoding(project):
    with pytest.raises(SpecError, match="at offset 4"):
        project.file("a.csv", b"a\n1,\xe2\x82")


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_csv_writer_writes_is_read_back(new_project, data):
    project = new_project()
    width = data.draw(st.integers(1, 4))
    table = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8))
    delimiter, name = data.draw(st.sampled_from([(",", "a.csv"), ("\t", "a.tsv")]))
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    header = [f"c{place}" for place in range(width)]
    writer.writerows([header, *table])
    rows = project.file(name, written.getvalue(), id="#")
    assert [list(row.values.values()) for row in rows] == table
    assert all(row.problem is None for row in rows)
