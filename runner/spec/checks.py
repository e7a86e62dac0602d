"""`checks:` as a record. What it gets has passed the schema, or comes from the run.json of such a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from runner.records import Json
from runner.spec.job import Checks


def checks_spec(tree: Sequence[Mapping[str, Json]] | None) -> Checks:
    """The checks of a job; the built-in one, that every answer is good, when it has none."""
    if tree is None:
        return Checks()
    return Checks(Decimal(str(tree[0]["ok"]).strip(">=% ")), tuple(tree))


def checks_problems(tree: Sequence[Mapping[str, Json]], report: Callable[..., None]) -> None:
    """Reports checks that contradict each other: `report(rule, what, path, next=…)`."""
    if len(tree) > 1:
        report("not-allowed", "`ok` is asked for twice", ("checks", 1), next="keep one of them")
