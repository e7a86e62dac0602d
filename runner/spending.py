"""A job's money while it is sent: its own budget, the one that all jobs of a command share, and what these cannot hold.

Sends nothing and decides nothing about one request: the engine asks the `Budget` for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.engine.budget import Budget, out_of_money
from runner.errors import Problem
from runner.models.resume import Spent
from runner.records import Limit
from runner.spec.job import MaxCost

if TYPE_CHECKING:
    from runner.planning import PlannedJob


def shared_budget(max_cost: float | None) -> Budget | None:
    """The cap on all jobs of one command together."""
    return None if max_cost is None else Budget(max_cost)


def budget_for(one: PlannedJob, spent: Spent, above: Budget | None = None) -> Budget:
    """The job's own budget. spent: in earlier sittings, which counts against `run.max_cost` and not against `above`."""
    cap = one.job.run.max_cost
    if cap is None:
        return Budget(None, spent.at_most, above=above)
    return Budget(cap.usd, spent.at_most, best_effort=cap.best_effort, above=above)


def flag_problems(planned: Sequence[PlannedJob], max_cost: float | None) -> Iterator[Problem]:
    """What `--max-cost` cannot hold, or never lets through, of each job's plan."""
    from runner.prompts.cap import cap_problems  # a run that sends nothing has no use for it

    for one in planned if max_cost is not None else ():
        own = one.job.run.max_cost
        cap = MaxCost(max_cost or 0.0, best_effort=own is not None and own.best_effort)
        yield from cap_problems(one.job, one.ledger, cap, flag=True)


def spent_already(one: PlannedJob, budget: Budget) -> Limit | None:
    """Why nothing of the plan can be sent, not even the cheapest, asked before a client is opened; None when it can.

    What has an answer already is looked at too, unless the ledger leaves it out: the engine knows better, and later.
    """
    from runner.prompts.cap import reserved

    held = None if budget.left is None else reserved(one.ledger, one.job.prices)
    return None if held is None or budget.could_take(held.least) else out_of_money(budget, held.least)
