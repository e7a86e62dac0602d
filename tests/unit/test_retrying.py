"""What of an earlier run is sent again, row by row, against today's files."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.engine.live import Stop
from runner.inputs import Selection
from runner.pipeline import run_jobs
from runner.planning import PlannedJob, PlanOptions, plan_job
from runner.retrying import Compared, Retry, compare
from runner.sitting import RunOptions, World
from runner.store import read_results
from runner.store.parent import Had

SPEC = """\
name: job
model: claude-haiku-5-5
max_tokens: 900
fallbacks: off
prompt: "Say {{ word }}"
matrix: {max_tokens: [900, 901]}
repeat: 2
inputs: {file: words.csv, id: id}
"""
REFUSED = "[[simulate:refusal]]"


def write(folder: Path, words: dict[str, str]) -> None:
    lines = "".join(f"{id},{word}\n" for id, word in words.items())
    (folder / "words.csv").write_text(f"id,word\n{lines}", encoding="utf-8")
    (folder / "job.yaml").write_text(SPEC, encoding="utf-8")


@contextmanager
def planned(folder: Path, **selection: object) -> Iterator[PlannedJob]:
    options = PlanOptions(selection=Selection(**selection))
    with plan_job(folder / "job.yaml", options, env={}, stdin=io.BytesIO()) as one:
        yield one


def run(one: PlannedJob, retry: Retry | None = None) -> Path:
    """Send it to the simulator; the run's folder."""

    async def send() -> Path:
        options = RunOptions(simulate=True, retry=retry)
        (end,) = [end async for end in run_jobs([one], options, Stop(), World(env={}))]
        return Path(end.summary.folder)

    return asyncio.run(send())


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Four rows in two cells with two repeats; the answers to `b` were refused."""
    write(tmp_path, {"a": "one", "b": f"two {REFUSED}", "c": "three", "d": "four"})
    with planned(tmp_path) as one:
        return run(one)


def retry_of(parent: Path, *statuses: str) -> Retry:
    return Retry(parent, parent.name, frozenset(statuses), ("run", "job.yaml"))


def compared(folder: Path, retry: Retry, **selection: object) -> Compared:
    with planned(folder, **selection) as one:
        return compare(one, retry)


def test_all_requests_of_a_row_with_the_status_are_sent(tmp_path: Path, parent: Path) -> None:
    found = compared(tmp_path, retry_of(parent, "refused"))
    assert (found.sent, found.taken, found.left_out, found.gone) == (4, 12, set(), 0)
    assert found.settled == bytes([1] * 4 + [0] * 4 + [1] * 8)
    assert compared(tmp_path, retry_of(parent, "failed")).sent == 0


def test_rows_are_told_apart_by_their_id_not_their_place(tmp_path: Path, parent: Path) -> None:
    write(tmp_path, {"d": "four", "c": "three", "b": f"two {REFUSED}", "a": "one"})
    found = compared(tmp_path, retry_of(parent, "refused"))
    assert (found.sent, found.taken, found.left_out) == (4, 12, set())


def test_changed_new_and_gone_rows(tmp_path: Path, parent: Path) -> None:
    write(tmp_path, {"b": f"two {REFUSED}", "new": "one", "c": "another", "a": "one"})
    found = compared(tmp_path, retry_of(parent, "refused"))
    assert (found.changed.count, found.changed.ids) == (1, ["c"])
    assert (found.new.count, found.new.ids) == (1, ["new"])
    assert found.left_out == {1, 2}
    assert found.gone == 4, "the four answers to `d`"
    assert found.settled == bytes([0] * 4 + [1] * 4), "of the rows that stay, in today's order"


def test_only_the_first_ids_are_named(tmp_path: Path, parent: Path) -> None:
    write(tmp_path, {f"n{n}": "one" for n in range(9)})
    found = compared(tmp_path, retry_of(parent, "refused"))
    assert (found.new.count, found.new.ids) == (9, ["n0", "n1", "n2", "n3", "n4"])


def test_the_new_run_has_today_s_order_and_both_kinds_of_results(tmp_path: Path, parent: Path) -> None:
    write(tmp_path, {"d": "four", "c": "another", "b": f"two {REFUSED}"})
    retry = retry_of(parent, "refused")
    left_out = frozenset(compared(tmp_path, retry).left_out)
    with planned(tmp_path, left_out=left_out) as one:
        folder = run(one, retry)
    lines = list(read_results(folder))
    assert [line["id"] for line in lines] == ["d"] * 4 + ["b"] * 4
    assert [line["n"] for line in lines] == list(range(8))
    assert [bool(line["reused_from"]) for line in lines] == [True] * 4 + [False] * 4
    assert all(line["status"] == "refused" and line["calls"] for line in lines[4:]), "they were asked once more"
    before = {(line["id"], str(line["cell"]), line["repeat"]): line["text"] for line in read_results(parent)}
    assert all(before[line["id"], str(line["cell"]), line["repeat"]] == line["text"] for line in lines[:4])


@pytest.mark.parametrize(
    ("had", "sent"),
    [
        (None, True),
        (Had("k", "failed", True, 0), True),
        (Had("k", "failed", False, 0), False),
        (Had("k", "refused", False, 0), True),
        (Had("k", "ok", False, 0), False),
    ],
)
def test_what_may_pass_by_itself_is_sent_in_any_case(had: Had | None, sent: bool) -> None:
    assert Retry(Path(), "run", frozenset({"refused"}), ()).sends(had) is sent
