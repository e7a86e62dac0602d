"""`run.confirm_above`: what of a job has to be confirmed before it is sent. Asks nobody and prints nothing."""

from __future__ import annotations

from runner.models.dollars import dollars
from runner.planning import PlannedJob

RULE = "unconfirmed"


def question(one: PlannedJob, max_cost: float | None) -> str:
    """What has to be confirmed, "" when the job may not cost more than `confirm_above`.

    Compared is the bound that `promptrun plan` shows as `at most`, or the lowest cap that is a wall.
    max_cost: US dollars, of whoever starts the run.
    """
    run = one.job.run
    if run.confirm_above is None:
        return ""
    walls = [max_cost, run.max_cost.usd if run.max_cost and not run.max_cost.best_effort else None]
    bounds = [usd for usd in (one.cost().most_usd, *walls) if usd is not None]
    if bounds and min(bounds) <= run.confirm_above:
        return ""
    cost = f"up to {dollars(min(bounds))}" if bounds else "an unknown amount: a model has no known price"
    return f"{one.job.name} may cost {cost}, and `run.confirm_above` is {dollars(run.confirm_above)}"


def is_capped(one: PlannedJob, max_cost: float | None) -> bool:
    """Whether somebody set a cap, which says enough where nobody can be asked."""
    return max_cost is not None or one.job.run.max_cost is not None
