"""`--only` and `--limit`."""

from __future__ import annotations

import pytest

from runner.errors import SpecError


@pytest.fixture
def sources(project):
    project.write("a.csv", "id\n" + "".join(f"T-{n}\n" for n in range(1, 6)))
    project.write("data/b.csv", "id,x\n" + "".join(f"U-{n},{n}\n" for n in range(1, 6)) + "ragged\n")
    return project.source("file", "a.csv"), project.source("file", "data/b.csv", on_bad_row="skip")


def chosen(project, sources, *only, limit=None):
    return [row.id for row in project.rows(*sources, only=only, limit=limit)]


def test_rows_are_chosen_by_id_in_the_order_of_the_job(project, sources):
    assert chosen(project, sources, "U-2", "T-3") == ["T-3", "U-2"]


def test_a_number_is_a_place_in_the_whole_job(project, sources):
    assert chosen(project, sources, "#1", "#7", "#07") == ["T-1", "U-2"]


def test_a_line_is_a_line_of_every_source_or_of_the_one_named(project, sources):
    assert chosen(project, sources, "L3") == ["T-2", "U-2"]
    assert chosen(project, sources, "data/b.csv:L3") == ["U-2"]


def test_a_bad_row_can_be_chosen_by_its_place(project, sources):
    assert chosen(project, sources, "#11") == ["#11"]
    assert chosen(project, sources, "data/b.csv:L7") == ["#11"]


def test_limit_counts_what_was_chosen(project, sources):
    assert chosen(project, sources, limit=2) == ["T-1", "T-2"]
    assert chosen(project, sources, "U-1", "T-1", "T-2", limit=2) == ["T-1", "T-2"]


def test_numbers_are_those_of_the_whole_job(project, sources):
    assert [row.number for row in project.rows(*sources, only=("U-1",))] == [6]


def test_limit_stops_reading(project):
    project.write("a.csv", b"id\n1\n2\n" + b"x\n" * 100_000 + b"\xff\n")
    assert len(project.rows(project.source("file", "a.csv"), limit=2)) == 2


def test_every_term_that_chooses_nothing_is_an_error_with_near_ids(project, sources, snapshot):
    for limit in (None, 1):
        with pytest.raises(SpecError) as caught:
            project.rows(*sources, only=("T-1", "T-55", "zzz", "#12", "L99", "a.csv:L7"), limit=limit)
        assert [problem.rule for problem in caught.value.problems] == ["unknown-row"] * 5
        assert str(caught.value) == snapshot


def test_an_id_may_look_like_a_place(project):
    project.write("a.csv", "id\n#2\nL9\nx\n")
    source = project.source("file", "a.csv")
    assert [row.id for row in project.rows(source, only=("L9",))] == ["L9"]
