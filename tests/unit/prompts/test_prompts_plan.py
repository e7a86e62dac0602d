"""The ledger: what only the whole plan can know, in constant memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from runner.errors import OutputError, Position, Problem, SpecError
from runner.prompts.plan import PlanLedger
from runner.prompts.problems import SeveralProblems
from runner.records import ModelPlan, Plan, Request, Source


def request(n: int, **changes: Any) -> Request:
    made = Request(
        n=n,
        id=f"r{n}",
        cell={},
        repeat=0,
        key=sha256(str(n).encode()).hexdigest(),
        model="m",
        max_tokens=10,
        body=b"12345",
        source=Source("data/t.csv", n + 2),
    )
    return replace(made, **changes)


def bad(n: int, problem: Problem | None = None) -> Request:
    problem = problem or Problem("csv-row", f"bad line {n}", Position("data/t.csv", n + 2))
    return request(n, key="", body=b"", problem=problem)


@pytest.fixture
def ledger() -> Iterator[PlanLedger]:
    made = PlanLedger()
    yield made
    made.close()


def plan(ledger: PlanLedger, *requests: Request, cells: int = 1, repeat: int = 1) -> Plan:
    return ledger.add(requests, cells=cells, repeat=repeat)


def test_an_empty_plan(ledger: PlanLedger) -> None:
    made = plan(ledger)
    assert (made.requests, made.rows, made.identical, made.bad, made.models, made.problems) == (0, 0, 0, 0, (), ())
    assert list(ledger.keys()) == []


def test_sums_count_what_is_sent(ledger: PlanLedger) -> None:
    same = request(0).key
    made = plan(ledger, request(0), request(1, model="k", max_tokens=7), bad(2), request(3, key=same), request(4))
    assert (made.requests, made.rows, made.identical, made.bad) == (5, 5, 1, 1)
    assert made.models == (ModelPlan("m", 2, 10, 20), ModelPlan("k", 1, 5, 7))


def test_rows_are_requests_by_cell_and_repeat(ledger: PlanLedger) -> None:
    made = [request(n, id=f"r{n // 6}", cell={"c": n // 2 % 3}, repeat=n % 2) for n in range(12)]
    summary = plan(ledger, *made, cells=3, repeat=2)
    assert (summary.rows, summary.cells, summary.repeat) == (2, 3, 2)
    assert summary.problems == ()


def test_equal_keys_are_answered_by_the_first(ledger: PlanLedger) -> None:
    one, two = request(0).key, request(1).key
    requests = [request(n, key=key) for n, key in enumerate([one, two, one, one, two])]
    assert plan(ledger, *requests).identical == 3
    assert [ledger.first_of(n) for n in range(6)] == [None, None, 0, 0, 1, None]


def test_requests_that_cannot_be_sent_are_not_identical(ledger: PlanLedger) -> None:
    assert plan(ledger, bad(0), bad(1)).identical == 0
    assert ledger.first_of(1) is None


def test_keys_come_back_in_order(ledger: PlanLedger) -> None:
    requests = [request(n) for n in range(5000)]
    requests[7] = bad(7)
    plan(ledger, *requests)
    assert list(ledger.keys()) == [one.key for one in requests]


# ---------------------------------------------------------------- the hash


def hash_of(*requests: Request) -> str:
    ledger = PlanLedger()
    try:
        return plan(ledger, *requests).hash
    finally:
        ledger.close()


def test_the_hash_never_changes_by_accident() -> None:
    """A run is continued when its plan has the same hash; a change here makes every unfinished run start again."""
    made = hash_of(request(0), request(1, cell={"model": "é"}, repeat=2))
    assert made == "74babf57d280197cd3136b93ceb798c1c23ad3761296cdba44139577173c8548"


@pytest.mark.parametrize("changes", [{"id": "x"}, {"cell": {"a": 1}}, {"repeat": 1}, {"key": "ab" * 32}])
def test_the_hash_is_of_id_cell_repeat_and_key(changes: dict[str, Any]) -> None:
    assert hash_of(request(0), request(1, **changes)) != hash_of(request(0), request(1))


@pytest.mark.parametrize("changes", [{"source": Source("other.csv", 9)}, {"body": b"{}"}, {"row": {"a": 1}}])
def test_and_of_nothing_else(changes: dict[str, Any]) -> None:
    assert hash_of(request(0), request(1, **changes)) == hash_of(request(0), request(1))


def test_the_hash_is_of_the_order() -> None:
    one, two = request(0), request(1)
    assert hash_of(replace(two, n=0), replace(one, n=1)) != hash_of(one, two)


# ---------------------------------------------------------------- problems


def test_duplicate_ids_name_both_places(ledger: PlanLedger, snapshot: SnapshotAssertion) -> None:
    requests = [request(n, id=id) for n, id in enumerate(["a", "b", "a", "c", "b", "b"])]
    made = plan(ledger, *requests)
    assert [problem.rule for problem in made.problems] == ["duplicate-id"] * 2
    assert "\n".join(map(str, made.problems)) == snapshot


def test_cells_and_repeats_share_their_rows_id(ledger: PlanLedger) -> None:
    requests = [request(n, id=id) for n, id in enumerate(["a", "a", "b", "b", "a", "a"])]
    (problem,) = plan(ledger, *requests, cells=2).problems
    assert problem.what == "the id `a` stands at data/t.csv:2 and at data/t.csv:6"


def test_the_first_problems_are_listed_and_the_rest_counted(ledger: PlanLedger) -> None:
    made = plan(ledger, *(bad(n) for n in range(1000)))
    assert [problem.what for problem in made.problems[:20]] == [f"bad line {n}" for n in range(20)]
    assert [(problem.rule, problem.what) for problem in made.problems[20:]] == [
        ("more-problems", "… and 980 more problems like these")
    ]
    assert made.bad == 1000


def test_one_place_that_fails_in_every_row_does_not_hide_the_others(ledger: PlanLedger) -> None:
    at, late = Position("job.yaml", 7, 3), Position("job.yaml", 9, 3)
    rows = [bad(n, Problem("template-undefined", f"in row {n}", at)) for n in range(50)]
    made = plan(ledger, *rows, bad(50, Problem("template-null", "late", late)))
    assert [problem.what for problem in made.problems] == [
        "in row 0",
        "in row 1",
        "in row 2",
        "late",
        "… and 47 more problems like these",
    ]


def test_a_short_list_hides_nothing(ledger: PlanLedger) -> None:
    """Each row may have a mistake of its own that the same line of a template shows."""
    at = Position("job.yaml", 7, 3)
    rows = [bad(n, Problem("template-undefined", f"in row {n}", at)) for n in range(20)]
    assert [problem.what for problem in plan(ledger, *rows).problems] == [f"in row {n}" for n in range(20)]


def test_warnings_do_not_hide_errors(ledger: PlanLedger) -> None:
    warnings = [bad(n, Problem("csv-row", f"w{n}", Position("a.csv", n + 1), severity="warning")) for n in range(30)]
    made = plan(ledger, *warnings, bad(30))
    assert [problem.severity for problem in made.problems] == ["error"] + ["warning"] * 21
    assert made.problems[-1].what == "… and 10 more problems like these"


def test_all_problems_of_a_request_are_listed_and_none_twice(ledger: PlanLedger) -> None:
    first, second = Problem("a", "one", Position("j", 1)), Problem("b", "two", Position("j", 2))
    several = SeveralProblems("a", "one", Position("j", 1), others=(second,))
    made = plan(ledger, bad(0, several), bad(1, several), cells=2)
    assert [problem.what for problem in made.problems] == [first.what, second.what]


# ---------------------------------------------------------------- size


def test_memory_does_not_grow_with_the_plan() -> None:
    def peak(count: int) -> int:
        ledger = PlanLedger()
        tracemalloc.start()
        try:
            ledger.add((request(n) for n in range(count)), cells=1, repeat=1)
            sum(1 for _ in ledger.keys())  # noqa: SIM118  # not a mapping's keys
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            ledger.close()

    small = peak(4_000)
    assert peak(20_000) < small * 1.2


def test_what_stops_the_rows_stops_the_plan(ledger: PlanLedger) -> None:
    def requests() -> Iterator[Request]:
        yield request(0)
        raise SpecError("`data/t.csv` changed", rule="source-changed")

    with pytest.raises(SpecError, match="changed"):
        ledger.add(requests(), cells=1, repeat=1)


def test_a_full_disk_under_the_temporary_file_is_said(ledger: PlanLedger) -> None:
    ledger._db.execute("PRAGMA max_page_count = 8")  # what SQLite says then is what it says of a full disk
    with pytest.raises(OutputError, match="temporary file could not be written: database or disk is full") as caught:
        ledger.add(map(request, range(20_000)), cells=1, repeat=1)
    assert "TMPDIR" in caught.value.problems[0].next
