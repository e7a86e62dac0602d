"""A clock that jumps: an hour back, or years ahead, while a run is written and before it is continued."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_harness import read_json
from fault_store import Written, answer

JUMPS = ["2026-11-22T08:28:11.123Z", "2001-01-01T00:00:00.000Z", "2040-06-01T00:00:00.000Z"]


@pytest.mark.parametrize("stamp", JUMPS)
def test_a_run_goes_on_whatever_the_clock_says(stamp: str, tmp_path: Path) -> None:
    written = Written(tmp_path)
    folder = written.half_done()
    written.clock.stamp = stamp
    with written.open() as run:
        assert run.folder == folder
        assert run.answered(0)
        run.done(answer(1))
        run.done(answer(2))
        summary = run.finish()
    assert summary.finished
    assert summary.seconds >= 0


@pytest.mark.parametrize("stamp", JUMPS)
def test_a_killed_sitting_never_lasted_less_than_nothing(stamp: str, tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.clock.stamp = stamp
    run = written.open()
    run.done(answer(0))
    run.close()  # as a kill leaves it: nothing says how it ended
    written.clock.stamp = "2026-11-22T09:28:11.123Z"
    with written.open() as run:
        run.done(answer(1))
        run.done(answer(2))
        run.finish()
        killed, last = read_json(run.folder / "run.json")["sittings"]
    assert killed["end"] == "killed"
    assert killed["seconds"] >= 0
    assert last["seconds"] >= 0


@pytest.mark.parametrize("stamp", JUMPS[:2])
def test_a_new_run_sorts_above_an_older_one_when_the_clock_went_back(stamp: str, tmp_path: Path) -> None:
    written = Written(tmp_path)
    first = finish_one(written)
    written.clock.stamp = stamp
    second = finish_one(written)
    assert second.name > first.name
    assert (tmp_path / "outputs" / "job" / "latest" / "run.json").samefile(second / "run.json")


def finish_one(written: Written) -> Path:
    with written.open() as run:
        for n in range(3):
            run.done(answer(n))
        run.finish()
        return run.folder
