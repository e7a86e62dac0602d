"""`--only`, `--limit` and `--shard`."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import SpecError
from runner.inputs import Selection, Shard
from runner.inputs.select import select
from runner.records import Row, Source


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


def test_of_many_unknown_terms_the_first_are_named_and_the_others_counted():
    readings = 0

    def rows():
        nonlocal readings
        readings += 1
        return iter([Row(1, "a", {}, Source("a.csv", 2))])

    with pytest.raises(SpecError) as caught:
        list(select(rows, Selection(only=tuple(f"zz{n}" for n in range(3_000)))))
    said = [problem.what for problem in caught.value.problems]
    assert said[:2] == ["no row has the id `zz0`", "no row has the id `zz1`"]
    assert said[20:] == ["2,980 more have no row"]
    assert readings < 30


def test_an_id_may_look_like_a_place(project):
    project.write("a.csv", "id\n#2\nL9\nx\n")
    source = project.source("file", "a.csv")
    assert [row.id for row in project.rows(source, only=("L9",))] == ["L9"]


# ---------------------------------------------------------------- shards


@given(rows=st.integers(1, 60), of=st.integers(1, 12), limit=st.none() | st.integers(1, 60))
def test_shards_are_a_deal_of_what_the_other_flags_choose(rows, of, limit):
    def read():
        return (Row(number, str(number), {}, Source("rows.csv", number + 1)) for number in range(1, rows + 1))

    def taken(**changes):
        return [row.number for row in select(read, Selection(limit=limit, **changes))]

    dealt = [taken(shard=Shard(k, of)) for k in range(1, of + 1)]
    assert sorted(itertools.chain(*dealt)) == taken(), "each row is in exactly one shard"
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    back = itertools.chain(*itertools.zip_longest(*dealt))
    assert [number for number in back if number] == taken(), "a row's place in its shard says its place in the whole"


def test_shards_of_chosen_rows(project, sources):
    rows = project.rows(*sources, only=("T-1", "T-2", "U-1", "U-2"), shard=Shard(2, 3))
    assert [row.id for row in rows] == ["T-2"]
    assert [row.number for row in rows] == [2], "the number is still that of the whole job"


def test_rows_can_be_left_out_by_their_place_among_the_chosen(project, sources):
    rows = project.rows(*sources, only=("T-1", "T-2", "U-1"), left_out=frozenset({1}))
    assert [row.id for row in rows] == ["T-1", "U-1"]


@pytest.mark.parametrize(
    ("selection", "partial"),
    [
        (Selection(), False),
        (Selection(limit=5), True),
        (Selection(only=("a",)), True),
        (Selection(shard=Shard(1, 1)), True),
        (Selection(left_out=frozenset({0})), True),
    ],
)
def test_a_selection_knows_whether_it_leaves_rows_out(selection, partial):
    assert selection.partial is partial
