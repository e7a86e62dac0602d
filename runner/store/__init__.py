"""The only writer under `outputs/`: run folders, journal, results, usage, lock. Knows requests by their records."""

from runner.store.find import find_result, find_run, list_runs, read_results, read_run
from runner.store.lengths import earlier_lengths
from runner.store.look import read_usage
from runner.store.manifest import describe_run
from runner.store.opening import answered_before, open_run
from runner.store.reuse import Earlier
from runner.store.reused import calls_to_judge
from runner.store.writer import RunWriter

__all__ = [
    "Earlier",
    "RunWriter",
    "answered_before",
    "calls_to_judge",
    "describe_run",
    "earlier_lengths",
    "find_result",
    "find_run",
    "list_runs",
    "open_run",
    "read_results",
    "read_run",
    "read_usage",
]
