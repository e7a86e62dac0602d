"""A run's plan is kept whole or not at all, and never in the way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from runner.store.kept_plan import forget_plan, keep_plan, kept_plans

OLD, NEW = "20261121T092811.123Z-7f3a", "20261122T092811.123Z-0001"


def write(path: Path) -> bool:
    path.write_bytes(b"a plan")
    return True


def test_the_newest_plan_comes_first(tmp_path: Path) -> None:
    for run in (OLD, NEW, "not-a-run"):
        (tmp_path / run).mkdir()
        keep_plan(tmp_path / run, write)
    assert [path.parent.name for path in kept_plans(tmp_path)] == [NEW, OLD]
    forget_plan(tmp_path / NEW)
    assert [path.parent.name for path in kept_plans(tmp_path)] == [OLD]


def test_a_job_without_runs_keeps_no_plan(tmp_path: Path) -> None:
    assert list(kept_plans(tmp_path / "nothing")) == []


def test_a_plan_that_has_nothing_to_keep_leaves_nothing(tmp_path: Path) -> None:
    keep_plan(tmp_path, lambda path: False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk is full")])
def test_a_plan_that_cannot_be_written_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    def save(path: Path) -> bool:
        path.write_bytes(b"half")
        raise error

    keep_plan(tmp_path, save)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_half_written_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".plan.db.tmp").write_bytes(b"half of another plan")

    def save(path: Path) -> bool:
        assert not path.exists()
        return write(path)

    keep_plan(tmp_path, save)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("plan.db", b"a plan")]


def test_a_plan_that_could_not_be_used_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "plan.db").write_bytes(b"of another version")
    assert keep_plan(tmp_path, write)
    assert (tmp_path / "plan.db").read_bytes() == b"a plan"
    forget_plan(tmp_path)
    assert not keep_plan(tmp_path, write)


def test_forgetting_twice_is_fine(tmp_path: Path) -> None:
    forget_plan(tmp_path)
    forget_plan(tmp_path)
