"""Replies in the journal: given back to a later sitting, as long as their request has no answered result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from store_job import USAGE, Job, attempt, failed, ok, request

from runner.records import Call, Failure
from runner.store.attempts import AttemptTally
from runner.store.index import ResultIndex

DROPPED = Failure("connection", "gone", maybe_billed=True)


def call(turn: int, text: str = "said", **changes: Any) -> Call:
    message = {"type": "message", "content": [{"type": "text", "text": text}], "usage": USAGE}
    tries = [attempt(1, DROPPED), attempt(2)]
    known = {"usage": USAGE, "cost_usd": 0.014, "response": message, "simulated": True, "iterations": []}
    return Call(tries, turn=turn, **known, **changes)


def test_a_later_sitting_gets_the_calls_as_they_were(tmp_path: Path) -> None:
    job = Job(tmp_path)
    with job.open(2) as run:
        run.replied(request(1), call(0), 0)
        run.replied(request(1), call(1, "more", purpose="ask_again"), 1)
    with job.open(2) as run:
        assert run.replies_of(0) == []
        assert run.replies_of(1) == [call(0), call(1, "more", purpose="ask_again")]


def test_an_answered_request_has_no_replies_to_go_on_from_and_a_failed_one_has(tmp_path: Path) -> None:
    job = Job(tmp_path)
    with job.open(3) as run:
        for n in (0, 1):
            run.replied(request(n), call(0), 0)
        run.done(ok(0))
        run.done(failed(1))
    with job.open(3) as run:
        assert (run.replies_of(0), run.replies_of(1)) == ([], [call(0)])


def test_a_call_made_anew_takes_the_place_of_the_earlier_one_and_of_what_followed_it(tmp_path: Path) -> None:
    job = Job(tmp_path)
    with job.open(2) as run:
        for number, text in ((0, "a"), (1, "b"), (2, "c"), (1, "d")):
            run.replied(request(0), call(number, text), number)
    with job.open(2) as run:
        assert run.replies_of(0) == [call(0, "a"), call(1, "d")]


def test_a_torn_reply_is_not_there(tmp_path: Path) -> None:
    job = Job(tmp_path)
    with job.open(2) as run:
        run.replied(request(0), call(0), 0)
        run.replied(request(0), call(1), 1)
        journal = run.journal.path
    journal.write_bytes(journal.read_bytes()[:-20])
    with job.open(2) as run:
        assert run.replies_of(0) == [call(0)]


def test_a_line_says_which_call_it_is_of(tmp_path: Path) -> None:
    with Job(tmp_path).open(2) as run:
        run.sent(request(0), 1, "2026-11-22T09:28:11.123Z", 0.01, 0)
        run.replied(request(0), call(0), 0)
        run.sent(request(0), 1, "2026-11-22T09:28:12.123Z", 0.02, 1)
        run.attempt_failed(request(0), attempt(1, DROPPED), 1)
        lines = [json.loads(line) for line in run.journal.path.read_text(encoding="utf-8").splitlines()]
    assert [(line["t"], line["call"]) for line in lines] == [("sent", 0), ("reply", 0), ("sent", 1), ("failure", 1)]
    assert lines[1]["for"] == "turn"


def tally(journal: Path) -> AttemptTally:
    found = AttemptTally(2)
    found.load(journal, ResultIndex(2))
    return found


def test_attempts_of_every_call_count_and_only_further_ones_are_retries(tmp_path: Path) -> None:
    with Job(tmp_path).open(2) as run:
        for number, tries in ((0, 1), (1, 2)):
            for n in range(1, tries + 1):
                run.sent(request(0), n, "2026-11-22T09:28:11.123Z", 0.02, number)
                if n < tries:
                    run.attempt_failed(request(0), attempt(n, DROPPED), number)
            run.replied(request(0), call(number), number)
        run.sent(request(0), 1, "2026-11-22T09:28:11.123Z", 0.03, 2)
        found = tally(run.journal.path)
    assert (found.sent, found.calls) == (4, 3)
    assert dict(found.by_kind) == {"reply": 2, "connection": 1, "no_outcome": 1}
    assert found.to_json() == {"attempts": 2, "usd": pytest.approx(0.05), "unpriced_attempts": 0}


def test_each_call_is_counted_at_the_price_of_the_model_that_served_it(tmp_path: Path) -> None:
    haiku = {**call(1).response, "model": "claude-haiku-5-5"}
    calls = [call(0), Call([attempt()], turn=1, usage=USAGE, cost_usd=0.001, response=haiku)]
    folder, _ = Job(tmp_path).run(ok(0, calls=calls, cost_usd=0.015, billed_usd=0.015))
    usage = json.loads((folder / "usage.json").read_text(encoding="utf-8"))
    assert {name: (one["tokens"]["input"], one["cost_usd"]) for name, one in usage["by_model"].items()} == {
        "claude-opus-5-5": (1000, 0.014),
        "claude-haiku-5-5": (1000, 0.001),
    }
