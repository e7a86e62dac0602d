"""Answers of earlier runs by key: found, verified, and found again whatever has become of the index."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from store_job import MODEL, Job, attempt, failed, ok, request

from runner.errors import OutputError
from runner.records import Call, Judgement
from runner.store import Earlier
from runner.store.answer_index import AnswerIndex
from runner.store.indexing import Indexing, patience, put_in
from runner.store.reused import calls_to_judge

NOW = "2026-11-22T12:00:00.000Z"


def key(n: int) -> str:
    return request(n).key


def earlier(job: Job, *, simulated: bool = False, max_age: float | None = None, **options: Any) -> Earlier:
    return Earlier(job.folder, simulated=simulated, max_age=max_age, now=NOW, **options)


def texts(job: Job, count: int = 3, **options: Any) -> list[str | None]:
    with earlier(job, **options) as known:
        return [(known.answer(key(n)) or {}).get("text") for n in range(count)]


ANSWERS = ["answer 0", "answer 1", "answer 2"]


def test_what_a_run_answered_is_known_to_the_next(job: Job) -> None:
    folder, _ = job.run(ok(2), ok(0), ok(1))
    assert (job.folder / "index.db").is_file()
    with earlier(job) as known:
        assert known.answer(key(0))["run"] == folder.name
        assert known.answer("f" * 64) is None
        assert known.answer("") is None
        assert known.known([bytes.fromhex(key(n)) for n in (0, 7)]) == {bytes.fromhex(key(0))}
    assert texts(job) == ANSWERS


def test_a_place_that_was_looked_up_is_read_without_asking_the_index_again(job: Job) -> None:
    job.run(ok(2), ok(0), ok(1))
    with earlier(job) as known:
        places = known.places([bytes.fromhex(key(n)) for n in (0, 1, 7)])
        assert places.keys() == {bytes.fromhex(key(0)), bytes.fromhex(key(1))}
        with sqlite3.connect(job.folder / "index.db") as db:
            db.execute("DELETE FROM answer")
        assert known.answer(key(1), places[bytes.fromhex(key(1))])["text"] == "answer 1"
        assert known.answer(key(1)) is None


def test_the_line_at_a_place_counts_only_when_it_holds_the_key(job: Job) -> None:
    folder, _ = job.run(ok(0), ok(1))
    with earlier(job) as known:
        raw = [bytes.fromhex(key(n)) for n in (0, 1)]
        places = known.places(raw)
        reversed_lines(job, folder)
        assert known.answer(key(0), places[raw[0]])["text"] == "answer 0"
        assert known.answer(key(1), places[raw[0]])["text"] == "answer 1"


def test_places_tell_many_runs_and_large_files_apart(job: Job) -> None:
    for n in range(3):
        job.run(ok(n), total=3, fresh=True)
    with earlier(job) as known:
        places = known.places([bytes.fromhex(key(n)) for n in range(3)])
        assert len(set(places.values())) == 3
        assert all(0 < place < 1 << 64 for place in places.values())
        assert [known.answer(key(n), places[bytes.fromhex(key(n))])["text"] for n in range(3)] == ANSWERS


def test_a_job_without_runs_knows_nothing_and_makes_no_folder(job: Job) -> None:
    with earlier(job) as known:
        assert (known.any, known.answer(key(0)), known.had("row-0", {}, 0)) == (False, None, None)
    assert not job.folder.exists()


def test_only_answers_of_its_own_count_and_no_failures(job: Job) -> None:
    first, _ = job.run(ok(0))
    with job.open(3) as run:
        run.write_reused(request(0), first_line(first))
        run.done(failed(1, "invalid_request"))
        run.done(ok(2, status="refused"))
        run.finish()
    with earlier(job) as known:
        assert known.answer(key(0))["run"] == first.name
        assert known.answer(key(1)) is None
        assert known.answer(key(2))["status"] == "refused"


def first_line(folder: Path) -> dict[str, Any]:
    return orjson.loads((folder / "results.jsonl").read_bytes().splitlines()[0])


def test_the_newest_answer_counts(job: Job) -> None:
    at = [replace(attempt(), at=f"2026-11-2{day}T00:00:00.000Z") for day in (1, 2)]
    for when, text in ((at[1], "newer"), (at[0], "older")):
        job.run(ok(0, text=text, calls=[Call([when], usage={}, response={"content": []})]), fresh=True)
    assert texts(job, 1) == ["newer"]


def test_an_answer_is_as_old_as_its_request_and_not_as_its_run(job: Job) -> None:
    job.run(ok(0))  # asked for at 09:28:11 on the day of NOW
    assert texts(job, 1, max_age=3 * 3600) == ["answer 0"]
    assert texts(job, 1, max_age=2 * 3600) == [None]


def test_simulated_answers_are_for_simulated_runs_alone(job: Job) -> None:
    job.run(ok(0, simulated=True), ok(1))
    assert texts(job, 2) == [None, "answer 1"]
    assert texts(job, 2, simulated=True) == ["answer 0", None]
    with earlier(job) as known:
        assert known.holds_simulated()


def test_a_run_that_was_killed_is_scanned(job: Job) -> None:
    with job.open(3) as run:
        run.done(ok(1))
    assert not (job.folder / "index.db").exists()
    assert texts(job) == [None, "answer 1", None]


def test_a_run_removed_by_hand_gives_way_to_an_older_one(job: Job) -> None:
    job.run(ok(0, text="older"))
    newer, _ = job.run(ok(0, text="newer"), fresh=True)
    assert texts(job, 1) == ["newer"]
    for path in newer.iterdir():
        path.unlink()
    newer.rmdir()
    assert texts(job, 1) == ["older"]


def reversed_lines(job: Job, folder: Path) -> None:
    path = folder / "results.jsonl"
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))


def corrupt(job: Job, folder: Path) -> None:
    (job.folder / "index.db").write_bytes(b"not a database at all" * 500)


def damaged_inside(job: Job, folder: Path) -> None:
    path = job.folder / "index.db"
    content = bytearray(path.read_bytes())
    content[5000:9000] = b"\xff" * 4000
    path.write_bytes(content)


def cut_short(job: Job, folder: Path) -> None:
    path = job.folder / "index.db"
    path.write_bytes(path.read_bytes()[:6000])


def missing(job: Job, folder: Path) -> None:
    (job.folder / "index.db").unlink()


def version(number: int) -> Callable[[Job, Path], None]:
    def change(job: Job, folder: Path) -> None:
        with sqlite3.connect(job.folder / "index.db") as db:
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("DROP TABLE answer")
        db.close()

    return change


def wrong_offsets(job: Job, folder: Path) -> None:
    with sqlite3.connect(job.folder / "index.db") as db:
        db.execute("UPDATE answer SET offset = offset + 7")
    db.close()


def in_the_way(job: Job, folder: Path) -> None:
    (job.folder / "index.db").unlink()
    (job.folder / "index.db").mkdir()


CHANGES = [
    reversed_lines, corrupt, damaged_inside, cut_short, missing, version(7), version(-1), wrong_offsets, in_the_way
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__qualname__.partition(".")[0])
def test_whatever_becomes_of_the_index_the_answers_are_found(job: Job, change: Callable[[Job, Path], None]) -> None:
    folder, _ = job.run(ok(0), ok(1), ok(2))
    change(job, folder)
    assert texts(job) == ANSWERS
    assert texts(job) == ANSWERS


def test_an_index_that_is_locked_stops_nobody(job: Job) -> None:
    folder, _ = job.run(ok(0), ok(1), ok(2))
    other = sqlite3.connect(job.folder / "index.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with Indexing(folder, wait=0.0) as indexing:
        indexing.note(first_line(folder), 0)
    assert "index.db could not be brought up to date (database is locked)" in indexing.notes[0]
    assert texts(job, wait=0.0) == ANSWERS
    other.execute("ROLLBACK")
    other.close()
    assert texts(job) == ANSWERS


def test_a_locked_index_is_waited_for_once_and_a_note_says_so(job: Job) -> None:
    job.run(ok(0), ok(1), ok(2))
    index = job.folder / "index.db"
    assert patience(index, 5.0) == 5.0
    other = sqlite3.connect(index, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with earlier(job, wait=0.0) as known:
        (note,) = known.notes
    assert note == ("index.db could not be used (database is locked); earlier answers were looked up in the results")
    assert patience(index, 5.0) == 0.0
    other.execute("ROLLBACK")
    other.close()
    with earlier(job) as known:
        assert known.notes == []


def test_an_index_that_is_damaged_while_it_is_asked_is_done_without(job: Job) -> None:
    job.run(ok(0), ok(1), ok(2))
    with earlier(job) as known:
        assert known.answer(key(0))
        with sqlite3.connect(job.folder / "index.db") as db:
            db.execute("DROP TABLE answer")
        db.close()
        assert known.answer(key(1))["text"] == "answer 1"


def test_lines_that_hold_no_key_any_more_are_not_used(job: Job) -> None:
    folder, _ = job.run(ok(0), ok(1), ok(2))
    path = folder / "results.jsonl"
    path.write_bytes(path.read_bytes().replace(key(1).encode(), b"9" * 64))
    assert texts(job) == ["answer 0", None, "answer 2"]


def test_a_run_of_a_newer_format_is_refused(job: Job) -> None:
    folder, _ = job.run(ok(0))
    path = folder / "results.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"v":1,', b'{"v":23,'))
    with pytest.raises(OutputError, match="newer promptrun"):
        earlier(job)


def test_what_the_newest_run_had_for_a_request(job: Job) -> None:
    job.run(ok(0, request=request(0, parts={"prompt": "a"})))
    job.run(ok(0, request=request(0, key="c" * 64, parts={"prompt": "b"})), hash="b" * 64)
    with earlier(job) as known:
        assert known.had("row-0", {}, 0) == ("c" * 64, {"prompt": "b"})
        assert known.had("row-0", {"model": "x"}, 0) is None
        assert known.had("row-1", {}, 0) is None


# ---------------------------------------------------------------- the line


def test_a_reused_line_has_today_s_place_and_yesterday_s_answer(job: Job) -> None:
    folder, _ = job.run(ok(0), ok(1))
    today = replace(request(0, row={"text": "today"}, parts={"prompt": "p"}), id="other", key=key(1))
    with job.open(1, hash="b" * 64) as run, earlier(job) as known:
        run.write_reused(today, known.answer(key(1)))
        known.close()
        summary = run.finish()
    line = first_line(run.folder)
    assert (line["n"], line["id"], line["row"], line["run"]) == (0, "other", {"text": "today"}, run.run_id)
    assert (line["text"], line["cost_usd"], line["billed_usd"]) == ("answer 1", ok(1).cost_usd, 0)
    assert (line["calls"], line["parts"]) == ([], {"prompt": "p"})
    assert line["reused_from"] == {"run": folder.name, "n": 1, "id": "row-1"}
    assert (summary.reused, summary.identical, summary.sent, summary.cost_usd) == (1, 0, 0, 0)
    assert summary.tokens.output == 0


def test_an_answer_that_is_passed_on_twice_names_the_run_that_asked(job: Job) -> None:
    folder, _ = job.run(ok(0))
    with job.open(2, hash="b" * 64) as run:
        run.write_reused(request(0), first_line(folder))
        assert run.write_identical(request(1, key=key(0)), 0)
        assert run.result_of(1)["reused_from"] == {"run": folder.name, "n": 0, "id": "row-0"}


def test_today_s_verdict_takes_the_place_of_yesterday_s(job: Job) -> None:
    folder, _ = job.run(ok(0))
    verdict = Judgement("invalid", good=False, text="answer 0", output={"a": 1}, problems=("not what was asked",))
    with job.open(1, hash="b" * 64) as run:
        run.write_reused(request(0), first_line(folder), verdict)
        line = run.result_of(0)
    assert (line["status"], line["good"], line["output"]) == ("invalid", False, {"a": 1})
    assert line["problems"] == ["not what was asked"]
    assert line["model"] == {"asked": MODEL, "served": MODEL, "switches": []}


def test_an_answer_whose_replies_were_not_kept_cannot_be_judged(job: Job) -> None:
    folder, _ = job.run(ok(0))
    line = first_line(folder)
    (call,) = calls_to_judge(line)
    assert (call.purpose, call.response["content"][0]["text"]) == ("turn", "answer 0")
    line["calls"][0] |= {"response": None, "model": MODEL}
    assert calls_to_judge(line) == ()


def test_a_run_that_was_begun_afresh_goes_on_so(job: Job) -> None:
    job.run(ok(0), ok(1))
    with job.open(2, fresh=True) as run:
        run.done(ok(0))
    with job.open(2) as again:
        assert (again.folder, again.fresh) == (run.folder, True)
    with job.open(3, hash="b" * 64) as other:
        assert not other.fresh


# ---------------------------------------------------------------- size


def test_memory_does_not_grow_with_the_answers(job: Job) -> None:
    total = 20_000
    folder, _ = job.run(ok(0))
    line = (folder / "results.jsonl").read_bytes()
    with (folder / "results.jsonl").open("wb") as file:
        file.writelines(line.replace(key(0).encode(), key(n).encode()) for n in range(total))
    tracemalloc.start()
    with earlier(job) as known:
        assert all(known.answer(key(n)) for n in range(0, total, 500))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_half_a_scan_leaves_the_index_as_it_was(job: Job) -> None:
    folder, _ = job.run(ok(0))
    index = AnswerIndex(job.folder / "index.db")
    changing = index.changing()
    changing.__enter__()
    put_in(index, folder)
    assert not changing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert len(index.find([bytes.fromhex(key(0))], simulated=False, oldest=0.0)) == 1
    index.close()
