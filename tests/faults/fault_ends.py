"""A run that ends early for another reason than a kill, finished by running again, and what must hold then.

Received is here what is on disk when the process has ended: no clock is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from fault_harness import Job, Json, comparable, is_good
from fault_kills import resent


def finished_as_undisturbed(job: Job, entries_of: Sequence[Json], kept: set[str], expected: Sequence[Json]) -> None:
    """After the last sitting: what was on disk before it was not asked for again, and nothing differs."""
    assert resent(entries_of, kept) == []
    assert comparable(job.results()) == expected


def missing(entries: Sequence[Json], kept: set[str]) -> list[str]:
    """Replies that the simulator wrote whole and that are not on disk."""
    return [entry["request_id"] for entry in entries if is_good(entry) and entry["request_id"] not in kept]
