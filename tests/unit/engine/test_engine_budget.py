"""The budget: its sums, and that no order of reservations and settlements gets past the cap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.budget import Budget, out_of_money

USD = st.floats(min_value=0, max_value=3, allow_nan=False)
EVENTS = st.lists(st.tuples(USD, st.floats(0, 1), st.booleans()), max_size=60)
"""Attempts: what each may cost, what part of that it turns out to cost, and whether one in flight ends first."""


# ---------------------------------------------------------------- one cap


def test_a_reservation_fits_up_to_the_cap_and_no_further():
    budget = Budget(1.0)
    assert budget.take(0.6)
    assert not budget.take(0.41)
    assert budget.take(0.4)
    assert (budget.spent, budget.reserved, budget.left) == (0.0, 1.0, 0.0)


def test_what_was_not_paid_comes_back_and_what_was_paid_stays():
    budget = Budget(1.0)
    assert budget.take(0.9)
    budget.settle(0.9, 0.25)
    assert (budget.spent, budget.reserved, budget.left) == (0.25, 0.0, 0.75)
    assert budget.take(0.75)
    assert not budget.take(0.001)


def test_what_was_spent_in_earlier_sittings_counts():
    budget = Budget(1.0, 0.8)
    assert not budget.take(0.3)
    assert budget.take(0.2)
    assert budget.left == 0


def test_a_spent_cap_takes_nothing_and_more_than_the_cap_leaves_nothing():
    assert not Budget(1.0, 1.0).could_take(0.01)
    assert Budget(1.0, 1.5).left == 0.0
    assert not Budget(1.0, 1.5).could_take(0.0)


def test_without_a_cap_everything_fits_and_is_still_counted():
    budget = Budget(None)
    assert budget.take(1e6)
    assert budget.take(None)
    budget.settle(1e6, 2.5)
    budget.settle(None, None)
    assert (budget.spent, budget.reserved, budget.left) == (2.5, 0.0, None)


def test_what_may_have_been_billed_is_booked_whole():
    budget = Budget(1.0)
    assert budget.take(0.5)
    budget.settle(0.5, 0.5)
    assert budget.spent == 0.5


def test_a_reply_of_unknown_price_is_booked_at_what_it_may_have_cost():
    budget = Budget(1.0)
    assert budget.take(0.5)
    budget.settle(0.5, None)
    assert (budget.spent, budget.reserved) == (0.5, 0.0)


def test_waiting_is_pointless_only_for_what_would_not_fit_alone():
    budget = Budget(1.0, 0.1)
    assert budget.take(0.8)
    assert not budget.take(0.5)
    assert budget.could_take(0.5)
    assert not budget.could_take(0.95)
    assert budget.reserved == 0.8  # asking reserves nothing


def test_tenths_add_up_to_a_whole_and_a_thousand_reservations_leave_nothing_behind():
    budget = Budget(1.0)
    assert all(budget.take(0.1) for _ in range(10))
    for _ in range(10):
        budget.settle(0.1, 0.0)
    assert budget.reserved == 0.0
    for _ in range(1000):
        assert budget.take(1e-3 / 3)
        budget.settle(1e-3 / 3, 1e-3 / 3)
    assert (budget.reserved, budget.spent) == (0.0, pytest.approx(1 / 3))


# ---------------------------------------------------------------- without a price


@pytest.mark.parametrize(
    "budget",
    [Budget(1.0), Budget(None, above=Budget(1.0)), Budget(1.0, above=Budget(None))],
    ids=["capped", "capped above", "capped here, not above"],
)
def test_a_wall_lets_nothing_through_that_has_no_price(budget: Budget):
    assert not budget.take(None)
    assert not budget.could_take(None)


def test_best_effort_lets_it_through_under_a_shared_cap_too_and_counts_the_rest():
    above = Budget(1.0)
    budget = Budget(1.0, best_effort=True, above=above)
    assert budget.take(None)
    budget.settle(None, 0.2)
    assert budget.spent == above.spent == 0.2
    assert not budget.take(0.9)


# ---------------------------------------------------------------- a cap that several jobs share


def test_jobs_share_the_cap_above_and_keep_their_own():
    above = Budget(1.0)
    one, two = Budget(0.7, above=above), Budget(None, above=above)
    assert one.take(0.6)
    assert not two.take(0.5)
    assert two.take(0.4)
    assert (one.left, two.left) == (0.0, 0.0)
    one.settle(0.6, 0.1)
    two.settle(0.4, 0.4)
    assert (above.spent, above.reserved) == (0.5, 0.0)
    assert one.left == 0.5
    assert two.left == 0.5


def test_what_fits_here_but_not_above_reserves_nothing_in_either():
    above = Budget(0.5)
    budget = Budget(5.0, above=above)
    assert not budget.take(0.6)
    assert (budget.reserved, above.reserved) == (0.0, 0.0)
    assert not budget.could_take(0.6)


def test_what_a_job_spent_in_earlier_sittings_is_not_part_of_this_commands_cap():
    above = Budget(1.0)
    budget = Budget(None, 40.0, above=above)
    assert budget.take(1.0)
    assert above.spent == 0.0


# ---------------------------------------------------------------- the words


def test_the_limit_names_the_cap_that_refuses_and_what_to_raise():
    limit = out_of_money(Budget(2.0, 1.934), 0.0667)
    assert limit.what == (
        "max_cost $2.00: $1.93 is booked, and $0.066 is too little for the next request, which may cost $0.067"
    )
    assert limit.next == "Raise `run.max_cost` to $2.01 or more, then run the same command again: it goes on."


def test_a_shared_cap_holds_for_one_command_and_the_next_one_has_it_anew():
    above = Budget(0.5)
    limit = out_of_money(Budget(2.0, 1.0, above=above), 0.6)
    assert limit.what.startswith("--max-cost $0.50: $0 is booked, and $0.50 is too little")
    assert limit.next == "Raise `--max-cost` to $0.60 or more."
    limit = out_of_money(Budget(None, above=Budget(0.5, 0.3)), 0.3)
    assert limit.next == "Run the same command again to go on with as much money once more, or raise `--max-cost`."


def test_where_both_caps_refuse_the_job_s_own_is_named():
    assert out_of_money(Budget(0.5, 0.4, above=Budget(0.3)), 0.4).what.startswith("max_cost $0.50")


def test_what_has_no_price_needs_one_and_no_higher_cap():
    limit = out_of_money(Budget(2.0), None)
    assert "no known price" in limit.what
    assert "`prices`" in limit.next


# ---------------------------------------------------------------- any order of events


@given(cap=USD, before=USD, events=EVENTS)
def test_spending_never_passes_the_cap_and_every_reservation_is_settled(
    cap: float, before: float, events: list[tuple[float, float, bool]]
):
    budget, paid, flying = Budget(cap, min(before, cap)), min(before, cap), []
    for usd, part, ends_one in events:
        if ends_one and flying:
            reserved, cost = flying.pop(0)
            budget.settle(reserved, cost)
            paid += cost
        if budget.take(usd):
            flying.append((usd, usd * part))
        assert budget.spent + budget.reserved <= cap + 1e-9
        assert paid + sum(cost for _, cost in flying) <= cap + 1e-9
    for reserved, cost in flying:
        budget.settle(reserved, cost)
        paid += cost
    assert budget.reserved == 0.0
    assert budget.spent == pytest.approx(paid, abs=1e-9)


@given(cap=USD, events=st.lists(st.tuples(st.integers(0, 2), USD, st.floats(0, 1)), max_size=60))
def test_the_shared_cap_holds_whoever_spends_and_is_the_sum_of_what_they_spend(
    cap: float, events: list[tuple[int, float, float]]
):
    above = Budget(cap)
    jobs = [Budget(None, above=above), Budget(cap / 2, above=above), Budget(cap * 2, above=above)]
    flying = []
    for job, usd, part in events:
        if jobs[job].take(usd):
            flying.append((jobs[job], usd, usd * part))
        assert above.spent + above.reserved <= cap + 1e-9
        assert jobs[1].spent + jobs[1].reserved <= cap / 2 + 1e-9
        if len(flying) > 3:
            owner, reserved, cost = flying.pop(0)
            owner.settle(reserved, cost)
    for owner, reserved, cost in flying:
        owner.settle(reserved, cost)
    assert above.reserved == 0.0
    assert above.spent == pytest.approx(sum(job.spent for job in jobs), abs=1e-9)


@given(cap=USD, spent=USD, reserved=USD, usd=USD)
def test_what_could_be_taken_is_taken_once_nothing_is_in_flight(cap: float, spent: float, reserved: float, usd: float):
    budget = Budget(cap, spent)
    if not budget.take(reserved):
        assert budget.could_take(reserved) is False
        return
    fits = budget.could_take(usd)
    budget.settle(reserved, 0.0)
    assert budget.take(usd) is fits
