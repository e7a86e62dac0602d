"""What a run has spent so far: answers, replies that no result holds, warm-ups, and what may have been billed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from store_job import USAGE, Job, attempt, failed, ok, request

from runner.models.resume import Spent
from runner.records import Call, Failure, Result
from runner.store import read_usage
from runner.store.files import to_json, write_whole

AT = "2026-11-22T09:28:11.123Z"
DROPPED = Failure("timeout", "no answer", maybe_billed=True)
COST = ok(0).cost_usd or 0.0
RESERVED = 0.5


def reply(turn: int = 0, cost: float | None = COST, model: str = "claude-opus-5-5") -> Call:
    message = {"type": "message", "model": model, "content": [], "usage": USAGE}
    return Call([attempt()], turn=turn, usage=USAGE, cost_usd=cost, response=message)


def spent(job: Job, total: int = 5) -> Spent:
    with job.open(total) as run:
        return run.spent()


def approx_usd(usd: float | None) -> Any:
    return pytest.approx(usd)


def approx(usd: float = 0.0, maybe: float = 0.0, attempts: int = 0, unpriced: int = 0) -> Spent:
    return Spent(pytest.approx(usd), pytest.approx(maybe), attempts, unpriced)


def test_a_run_that_begins_has_spent_nothing(job: Job) -> None:
    assert spent(job) == Spent()


def test_answers_count_and_reused_ones_do_not(job: Job) -> None:
    with job.open(5) as run:
        run.done(ok(0))
        run.write_identical(request(1), 0)
        run.done(failed(2))
        run.done(ok(2))
    assert spent(job) == approx(2 * COST)


def test_replies_of_requests_that_are_not_done_count_once(job: Job) -> None:
    with job.open(5) as run:
        for n in (0, 1, 2):
            run.replied(request(n), reply(0), 0)
            run.replied(request(n), reply(1), 1)
        run.done(ok(0, calls=[reply(0), reply(1), reply(2)], cost_usd=3 * COST, billed_usd=3 * COST))
        run.done(replace(failed(1), calls=[reply(0), *failed(1).calls], cost_usd=COST, billed_usd=COST))
    assert spent(job) == approx(3 * COST + 2 * COST + 2 * COST)


def test_what_may_have_been_billed_counts_at_its_reservation(job: Job) -> None:
    with job.open(5) as run:
        run.sent(request(0), 1, AT, RESERVED)
        run.attempt_failed(request(0), attempt(1, DROPPED))
        run.sent(request(0), 2, AT, RESERVED)
        run.sent(request(1), 1, AT, RESERVED)
        run.attempt_failed(request(1), attempt(1, Failure("rate_limited", "slow down")))
        run.sent(request(2), 1, AT, RESERVED)
        run.done(ok(2))
        run.sent(request(3), 1, AT, None)
    assert spent(job) == approx(COST, maybe=2 * RESERVED, attempts=3, unpriced=1)


def test_what_was_sent_counts_although_the_answer_was_taken_from_another_run(job: Job) -> None:
    """A run that was killed is gone on with after another one of the job got those answers."""
    other = ok(9).to_json(job="triage", run="20261122T092810.000Z-0000")
    with job.open(3) as run:
        run.sent(request(0), 1, AT, RESERVED)
        run.sent(request(1), 1, AT, RESERVED)
        run.replied(request(1), reply(0), 0)
        run.done(ok(2))
    for sitting in range(2):  # in the first the answers are in no file yet, in the second they are
        with job.open(3) as run:
            assert run.spent() == approx(2 * COST, maybe=RESERVED, attempts=1)
            if sitting == 0:
                run.write_reused(request(0), other)
                run.write_reused(request(1), other)
            summary = run.finish()
            assert (summary.cost_usd, summary.maybe_billed_attempts) == (approx_usd(2 * COST), 1)
            run.run["finished"] = False
            write_whole(run.folder / "run.json", to_json(run.run))


def test_an_answer_without_a_price_is_said(job: Job) -> None:
    with job.open(5) as run:
        run.done(ok(0, calls=[reply(cost=None, model="claude-new")], model="claude-new", cost_usd=None))
    assert spent(job) == approx(unpriced=1)


def without_price(n: int, *calls: Call) -> Result:
    return ok(n, calls=list(calls), model="claude-new", cost_usd=None, billed_usd=None)


def test_an_answer_without_a_price_counts_at_its_reservation(job: Job) -> None:
    new = reply(cost=None, model="claude-new")
    known = {"model": "claude-opus-5-5", "cost_usd": 0.1, "usage": USAGE}
    handed_over = replace(new, iterations=[known, {**known, "model": "claude-new", "cost_usd": None}])
    with job.open(6) as run:
        for n, may_cost in enumerate((RESERVED, RESERVED, RESERVED, RESERVED, None)):
            run.sent(request(n), 1, AT, may_cost)
        run.done(without_price(0, new))
        run.done(without_price(1, handed_over))  # what is known of it is in the sum already
        run.replied(request(2), new, 0)
        run.sent(request(2), 1, AT, 0.25, 1)
        run.done(without_price(2, new, reply(1)))  # the second of its calls has a price
        run.replied(request(3), new, 0)  # it is not done
        run.done(without_price(4, new))  # nothing could be reserved for it
        run.overhead_sent("a", request(5), AT, RESERVED)
        run.overhead("a", request(5), new, None)
        left = replace(run.finish(end="interrupted", max_cost=10.0), max_cost_usd=10.0).left_usd
        usage = read_usage(run.folder) or {}
    known_usd, assumed = 0.1 + COST, 5 * RESERVED - 0.1
    behind = spent(job, 6)
    assert (behind.usd, behind.assumed_usd, behind.unpriced) == (approx_usd(known_usd), approx_usd(assumed), 6)
    assert behind.at_most == approx_usd(known_usd + assumed)
    assert left == approx_usd(10.0 - behind.at_most)
    assert usage["budget"]["assumed_usd"] == approx_usd(assumed)
    assert usage["budget"]["left_usd"] == approx_usd(left)


@pytest.fixture
def warmed(job: Job) -> Path:
    """Four warm-ups: answered, failed for free, timed out, and killed; and one answer."""
    with job.open(1) as run:
        for prefix in "abcd":
            run.overhead_sent(prefix, request(0), AT, RESERVED)
        run.overhead("a", request(0), reply(), None)
        run.overhead("b", request(0), None, Failure("overloaded", "busy"))
        run.overhead("c", request(0), None, DROPPED)
        run.sent(request(0), 1, AT, RESERVED)
        run.done(ok(0))
        return run.folder


def test_warm_ups_count_whatever_became_of_them(job: Job, warmed: Path) -> None:
    assert spent(job, 1) == approx(2 * COST, maybe=2 * RESERVED, attempts=2)


def test_warm_ups_have_their_place_in_usage_and_summary(job: Job, warmed: Path) -> None:
    with job.open(1) as run:
        summary = run.finish()
    usage: dict[str, Any] = read_usage(warmed) or {}
    assert usage["overhead"] == {"requests": 1, "usd": pytest.approx(COST)}
    assert usage["cost"]["usd"] == pytest.approx(2 * COST)
    assert usage["by_model"]["claude-opus-5-5"]["tokens"]["input"] == 2000
    assert usage["cost_by_row"]["max"]["usd"] == pytest.approx(COST)
    assert usage["maybe_billed"] == {"attempts": 2, "usd": 1.0, "unpriced_attempts": 0}
    assert usage["attempts"] == {"sent": 5, "by_kind": {"no_outcome": 1, "overloaded": 1, "reply": 2, "timeout": 1}}
    assert (summary.overhead_requests, summary.overhead_usd) == (1, pytest.approx(COST))
    assert (summary.sent, summary.retries) == (1, 0)


def test_an_interrupted_dialogue_is_in_what_the_run_paid(job: Job) -> None:
    with job.open(2) as run:
        run.replied(request(0), reply(), 0)
        summary = run.finish(end="interrupted")
        usage = read_usage(run.folder) or {}
    assert summary.cost_usd == pytest.approx(COST)
    assert usage["unfinished"] == {"replies": 1, "usd": pytest.approx(COST)}
    assert usage["tokens"]["output"] == 500


def test_garbage_in_the_journal_is_passed_over_and_counted(job: Job) -> None:
    folder, _ = job.run(ok(0), total=2, end="interrupted")
    journal = folder / "journal.jsonl"
    journal.write_bytes(b"\x00garbage\n" + journal.read_bytes())
    with job.open(2) as run:
        run.done(ok(1))
        summary = run.finish()
    assert "journal.jsonl: 1 lines could not be read and were left out" in summary.notes


def test_how_a_sitting_was_is_in_run_json(job: Job) -> None:
    with job.open(2) as run:
        run.sent(request(0), 1, AT, None)
        run.sent(request(0), 2, AT, None)
        run.done(ok(0))
        run.write_identical(request(1), 0)
        run.finish(limit={"kind": "max_cost", "what": "spent"}, max_cost=1.5)
    (sitting,) = orjson.loads((run.folder / "run.json").read_bytes())["sittings"]
    told = {name: sitting[name] for name in ("sent", "reused", "limit", "max_cost", "pace", "results")}
    limit = {"kind": "max_cost", "what": "spent"}
    assert told == {"sent": 1, "reused": 1, "limit": limit, "max_cost": 1.5, "pace": [], "results": 2}


def test_a_run_that_goes_on_knows_what_is_behind_it(job: Job) -> None:
    with job.open(5) as run:
        run.done(ok(0))
        run.done(failed(1))
    with job.open(5) as run:
        resume = run.resume(4, 1)
        run.write_reused(request(2), run.result_of(0) or {})
        later = run.resume(3, 1)
    assert (resume.continued, resume.total, resume.answered, resume.failed, resume.to_send) == (True, 5, 1, 1, 4)
    assert resume.spent.usd == pytest.approx(COST)
    assert (later.answered, later.reused, later.to_send) == (1, 1, 3)
