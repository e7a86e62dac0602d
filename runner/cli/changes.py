"""What a plan changes against earlier runs of its job, for the commands that say so. Reads; prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress, count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runner.planning import PlannedJob
    from runner.prompts.changes import Changes, Newest


@dataclass(frozen=True)
class Compared:
    """planned: the job, whose cost and cache are of what is sent. changes: None without earlier runs."""

    planned: PlannedJob
    changes: Changes | None = None


def compared(planned: PlannedJob, folder: Path, *, simulate: bool, fresh: bool = False) -> Compared:
    """folder: of the job's runs. fresh: a new run starts in any case, and nothing is reused.

    Raises OutputError for runs of a newer version of this program.
    """
    from runner.prompts.changes import compare
    from runner.reusing import looking_back
    from runner.sitting import shard_json
    from runner.store.history import answered_numbers, newest_run, retries_of

    newest = newest_run(folder, shard_json(planned.options.selection))
    if newest is None:
        return Compared(planned)
    run = None if fresh else going_on(planned, folder)
    answered = answered_numbers(folder / run, planned.plan) if run else bytes(planned.plan.requests)
    now = datetime.now(UTC).isoformat()
    with looking_back(planned, folder, simulated=simulate, now=now, but=run) as earlier:
        changes, settled = compare(
            planned.ledger,
            [cell.values for cell in planned.job.cells],
            planned.job.repeat,
            earlier,
            reuse=planned.job.run.reuse.on and not fresh,
            answered=answered.__getitem__,
            newest=_newest(newest, planned, retries_of(folder, newest["run"])),
            goes_on=run,
        )
    return Compared(planned.without(compress(count(), settled)), changes)


def before_sending(planned: PlannedJob, folder: Path, *, simulate: bool, fresh: bool) -> tuple[PlannedJob, str]:
    """The job without what earlier runs answered, and what to say of it; "" when there is nothing to say.

    A run that goes on is not compared: what it has answered is told when it is opened. What is left of it matters only
    to who wants to be asked what it may cost.
    """
    if fresh:
        return planned, ""
    if (run := going_on(planned, folder)) is not None:
        return (planned if planned.job.run.confirm_above is None else without_answered(planned, folder / run)), ""
    from runner.report.plan_changes import start_text

    against = compared(planned, folder, simulate=simulate)
    return against.planned, start_text(against.changes)


def going_on(planned: PlannedJob, folder: Path) -> str | None:
    """The unfinished run of this very plan, which goes on."""
    from runner.sitting import shard_json
    from runner.store.history import unfinished_run

    run = unfinished_run(folder, planned.plan.hash, {"shard": shard_json(planned.options.selection)})
    return str(run["run"]) if run else None


def without_answered(planned: PlannedJob, run: Path) -> PlannedJob:
    """The job without the requests that this run of it has answered."""
    from runner.store.history import answered_numbers

    return planned.without(compress(count(), answered_numbers(run, planned.plan)))


def _newest(run: Mapping[str, object], planned: PlannedJob, retries: Collection[str]) -> Newest:
    from runner.prompts.changes import Newest

    counts = run["plan"]
    return Newest(
        run=str(run["run"]),
        requests=counts["requests"] - counts["bad"] if isinstance(counts, dict) else 0,
        whole=not run["limited"] and not planned.options.selection.partial,
        same=run["plan_hash"] == planned.plan.hash,
        finished=bool(run["finished"]),
        retries=retries,
    )
