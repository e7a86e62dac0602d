"""The line that says how a run goes on."""

from __future__ import annotations

from dataclasses import replace

from runner.models.resume import Resume, Spent
from runner.report.resume import resume_text

HALFWAY = Resume(total=1000, answered=600, to_send=400, continued=True, spent=Spent(usd=1.2))


def test_a_run_that_begins_says_nothing() -> None:
    assert resume_text(replace(HALFWAY, continued=False)) == ""


def test_what_is_done_what_is_sent_and_what_it_cost() -> None:
    assert resume_text(HALFWAY) == "going on: 600 of 1,000 are answered, 400 to send; $1.20 so far"


def test_everything_there_is_to_say() -> None:
    spent = Spent(usd=1.2, maybe_usd=0.054, maybe_attempts=3, unpriced=1)
    assert resume_text(replace(HALFWAY, failed=12, reused=10, to_send=390, simulated=True, spent=spent)) == (
        "going on: 600 of 1,000 are answered, 10 more by earlier runs, 390 to send (12 of them failed before); "
        "had it been real, $1.20 so far, and 1 answer without a known price; "
        "3 attempts without an outcome may have been billed up to $0.054"
    )
