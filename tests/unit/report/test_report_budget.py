"""What a cap looks like in a plan and in a summary."""

from __future__ import annotations

from runner.models.estimate import Budgeted, Reserved
from runner.models.summary import Summary
from runner.records import Limit
from runner.report.plan import budget_lines
from runner.report.summary import cause_text, summary_text

HELD = Reserved(least=0.2, mean=0.5, most=0.9, id="r7", max_tokens=16_000, fallbacks=True)


def test_a_plan_says_whether_the_cap_is_reached_and_what_it_does_to_the_requests_in_flight():
    assert budget_lines(Budgeted(5.0, False, HELD, wanted=20), 7.5) == [
        "budget   $5.00 over all sittings; all of it may cost up to $7.50, and the run stops at the cap",
        "  only 10 requests at once instead of 20: the worst case of each is put aside, $0.50 on average;"
        " lower `max_tokens` (now 16,000), or write `fallbacks: off`",
    ]
    assert budget_lines(Budgeted(50.0, False, HELD, wanted=20), 7.5) == [
        "budget   $50.00 over all sittings; all of it costs $7.50 at most"
    ]
    assert budget_lines(Budgeted(50.0, True, HELD, wanted=20), None) == [
        "budget   $50.00 over all sittings; all of it may cost more"
    ]


def test_a_cap_under_a_request_s_worst_case_leaves_the_warning_to_say_it():
    assert len(budget_lines(Budgeted(0.1, False, HELD, wanted=20), 7.5)) == 1


def summary(**fields):
    told = {"total": 10, "results": 6, "good": 6, "left": 4, "to_send": 4, "finished": False, "end": "max_cost"}
    return Summary(job="shop", run="r", folder="outputs/shop/r", cost_usd=4.91, priced_usd=4.91, **(told | fields))


def test_a_summary_says_what_stopped_it_what_may_have_been_billed_and_what_to_raise():
    what = "max_cost $5.00: $4.93 is booked, and $0.07 is too little for the next request, which may cost $0.90"
    limit = Limit(
        "max_cost", what, "Raise `run.max_cost` to $5.83 or more, then run the same command again: it goes on."
    )
    ended = summary(max_cost_usd=5.0, limit=limit, maybe_billed_attempts=1, maybe_billed_usd=0.02)
    lines = summary_text(ended, command="`promptrun shop.yaml`").splitlines()
    assert lines[0] == "shop: 6 of 10 good (4 left, stopped: max_cost)"
    assert lines[1:3] == [f"  stopped at {what}", f"    {limit.next}"]
    assert (
        "cost     $4.91; 1 attempt without an outcome may have been billed up to $0.02; $0.070 left of max_cost $5.00"
    ) in [line.replace("$0.020", "$0.02") for line in lines]
    assert cause_text(ended, None, command="`promptrun shop.yaml`").splitlines() == [*lines[:3], lines[-1]]
    told = ended.to_json()
    assert told["limit"] == {"kind": "max_cost", "what": what}
    assert (told["max_cost_usd"], round(told["left_usd"], 9)) == (5.0, 0.07)


def test_without_a_cap_nothing_is_left_of_one():
    assert summary().left_usd is None
    assert "left of" not in summary_text(summary())
    assert summary(max_cost_usd=1.0).left_usd == 0.0
