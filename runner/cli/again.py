"""The line to type that goes on with a job, as its summary ends with it: what was typed, less what would start over,
with the cap raised that ended it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.options import Chosen, Flags, plain_number, words_to_run

if TYPE_CHECKING:
    from runner.planning import PlannedJob
    from runner.records import Limit

OWN_CAP = "run.max_cost"


@dataclass(frozen=True)
class Again:
    """How a command goes on. words: those before `--set` and the flags, for one job or for all of them.

    sets: `--set` as typed. piped: the rows came on standard input.
    """

    words: Callable[[Path | None], Sequence[str]]
    sets: tuple[str, ...]
    flags: Flags
    piped: bool = False

    def line(self, one: PlannedJob, limit: Limit | None = None) -> str:
        """What to type, and in what way; "" when what was typed holds what looks like a credential.

        limit: what ended this job. Raising its own cap concerns no other job of the command.
        """
        from runner.store.manifest import redact

        own = limit is not None and limit.cap == OWN_CAP
        sets = [word for one_set in raised_sets(self.sets, one, limit) for word in ("--set", one_set)]
        words = [*self.words(one.job.path if own else None), *sets, *raised_flags(self.flags, limit).words()]
        if any(redact(word) != word for word in words):
            return ""
        typed = f"`{shlex.join(['promptrun', *words])}`"
        return f"{typed} {self._how(limit)}"

    def _how(self, limit: Limit | None) -> str:
        how = "(or more)" if limit is not None and limit.cap else "again"
        return f"{how} with the same standard input" if self.piped else how


def raised_sets(sets: Sequence[str], one: PlannedJob, limit: Limit | None) -> Sequence[str]:
    """The settings, with the job's own cap high enough when that is what ended it."""
    if limit is None or limit.cap != OWN_CAP or limit.least_usd is None:
        return sets
    cap = one.job.run.max_cost
    key = f"{OWN_CAP}.usd" if cap is not None and cap.best_effort else OWN_CAP
    others = [written for written in sets if written.partition("=")[0].strip() != key]
    return [*others, f"{key}={plain_number(limit.least_usd)}"]


def raised_flags(flags: Flags, limit: Limit | None) -> Flags:
    """The flags, with the cap on all jobs high enough when that is what ended it."""
    if limit is None or limit.cap != "--max-cost" or limit.least_usd is None:
        return flags
    return replace(flags, max_cost=limit.least_usd)


def of_run(chosen: Chosen, flags: Flags, *, simulate: bool, piped: bool) -> Again:
    """Of `promptrun run`, without the `--fresh` that would start over and pay twice."""

    def words(spec: Path | None) -> list[str]:
        return words_to_run([spec] if spec else chosen.specs, replace(chosen, sets=()), simulate=simulate)

    return Again(words, chosen.sets, flags, piped)
