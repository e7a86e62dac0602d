"""A plan on disk: it comes back whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Position, Problem
from runner.prompts.plan import PlanLedger
from runner.prompts.plan_file import Unusable, read_notes
from runner.prompts.problems import SeveralProblems
from runner.records import Plan, PrefixEnd, Request, Source, Terms

SHARED = PrefixEnd(7, 9000, ("system",))


def request(n: int, **changes: Any) -> Request:
    made = Request(
        n=n,
        id=f"r{n}",
        cell={},
        repeat=0,
        key=sha256(str(n % 90).encode()).hexdigest(),
        model="m" if n % 2 else "k",
        max_tokens=10,
        body=b"12345",
        source=Source("data/t.csv", n + 2),
        ends=(SHARED, PrefixEnd(100 + n, 9500, ("messages", 0))),
        terms=Terms(1.5, ("f",)) if n % 3 else Terms(),
        parts={"model": "0a" * 6, "system": "0b" * 6, "prompt": "0c" * 6, "parameters": "0d" * 6},
    )
    return replace(made, **changes)


def planned(ledger: PlanLedger) -> Plan:
    wrong = Problem("csv-row", "bad", Position("data/t.csv", 3), "text", "mend it", "warning")
    several = SeveralProblems("csv-row", "worse", None, others=(wrong,), severity="warning")
    bad = [request(100, key="", body=b"", problem=wrong), request(101, key="", body=b"", problem=several)]
    return ledger.add([*map(request, range(100)), *bad], cells=1, repeat=1, ttl="1h")


@contextmanager
def saved(path: Path) -> Iterator[tuple[PlanLedger, Plan]]:
    with closing(PlanLedger()) as ledger:
        plan = planned(ledger)
        ledger.save(path, plan, {"made_from": {"chosen": "x"}})
        yield ledger, plan


def test_a_kept_plan_answers_as_the_one_it_was(tmp_path: Path) -> None:
    with saved(tmp_path / "plan.db") as (ledger, plan):
        notes = read_notes(tmp_path / "plan.db")
        kept, again = PlanLedger.kept(tmp_path / "plan.db", notes)
        with closing(kept):
            assert notes["made_from"] == {"chosen": "x"}
            assert list(map(str, again.problems)) == list(map(str, plan.problems))
            assert replace(again, problems=()) == replace(plan, problems=())
            assert list(kept.keys()) == list(ledger.keys())
            assert [kept.first_of(n) for n in range(102)] == [ledger.first_of(n) for n in range(102)]
            assert kept.sizes() == ledger.sizes()
            assert kept.cached() == ledger.cached() != {}
            assert kept.prefixes.choose((SHARED,)) == ledger.prefixes.choose((SHARED,)) == ([SHARED], "1h")


def test_what_was_left_out_is_not_kept(tmp_path: Path) -> None:
    with closing(PlanLedger()) as ledger:
        plan = planned(ledger)
        before = ledger.sizes()
        ledger.leave_out(range(50))
        ledger.save(tmp_path / "plan.db", plan, {})
    kept, _ = PlanLedger.kept(tmp_path / "plan.db", read_notes(tmp_path / "plan.db"))
    with closing(kept):
        assert kept.sizes() == before


def test_a_torn_copy_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "plan.db"
    with saved(path):
        notes = read_notes(path)
    whole = path.read_bytes()
    for size in (0, 50, len(whole) // 2, len(whole) - 4096):
        path.write_bytes(whole[:size])
        with pytest.raises(Unusable):
            PlanLedger.kept(path, notes | read_notes(path))


def test_a_damaged_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "plan.db"
    with saved(path):
        notes = read_notes(path)
    whole = bytearray(path.read_bytes())
    whole[8192 + 8 : 8192 + 4096] = b"\xff" * 4088
    path.write_bytes(whole)
    with pytest.raises(Unusable):
        PlanLedger.kept(path, notes)


@pytest.mark.parametrize(
    "change", ["UPDATE notes SET format = 999", "DELETE FROM notes", "UPDATE notes SET json = '['"]
)
def test_notes_of_another_version_are_not_taken(tmp_path: Path, change: str) -> None:
    with saved(tmp_path / "plan.db"):
        pass
    with closing(sqlite3.connect(tmp_path / "plan.db")) as db:
        db.execute(change)
        db.commit()
    with pytest.raises(Unusable):
        read_notes(tmp_path / "plan.db")


def test_notes_that_lack_something_are_not_taken(tmp_path: Path) -> None:
    with saved(tmp_path / "plan.db"):
        pass
    for notes in ({}, {"ttl": "5m", "models": [], "files": [], "terms": [], "plan": {"models": 3}}):
        with pytest.raises(Unusable):
            PlanLedger.kept(tmp_path / "plan.db", notes)


def test_no_file_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(Unusable):
        read_notes(tmp_path / "plan.db")
    assert not (tmp_path / "plan.db").exists()
