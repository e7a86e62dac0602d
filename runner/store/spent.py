"""What a run has spent so far, for its budget and for the word on how it goes on. Reads only, in one pass."""

from __future__ import annotations

from pathlib import Path

from runner.models.resume import Spent
from runner.store.attempts import AttemptTally
from runner.store.index import ResultIndex


def spent_so_far(journal: Path, index: ResultIndex) -> Spent:
    """Answers, overhead and what may have been billed, of all sittings whose lines are on disk.

    index: of the results as they were loaded; what was written since then is not in it.
    """
    tally = AttemptTally(index.total)
    tally.load(journal, index)
    others = (tally.overhead, tally.unfinished)
    return Spent(
        usd=index.billed + sum(paid.priced_usd for paid in others),
        maybe_usd=tally.maybe_usd,
        maybe_attempts=tally.maybe_billed,
        assumed_usd=tally.assumed_usd,
        unpriced=index.unpriced + tally.maybe_unpriced + sum(paid.unpriced.total() for paid in others),
    )
