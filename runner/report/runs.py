"""The runs of a job as a table, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.report.words import duration, table


def runs_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """runs: run.json of each, newest first (as `store.list_runs` gives them)."""
    if not runs:
        return "no runs"
    rows = [("run", "job", "state", "good", "time", "")]
    for run in runs:
        seconds = sum(sitting["seconds"] or 0.0 for sitting in run["sittings"])
        rows.append((run["run"], run["job"], state(run), _good(run), duration(seconds), _remarks(run)))
    return table(rows, right=frozenset({3, 4}))


def state(run: Mapping[str, Any]) -> str:
    """finished · the way its last sitting ended · `running or killed` when that is not known."""
    if run["finished"]:
        return "finished"
    return "unfinished" if run["end"] == "complete" else run["end"] or "running or killed"


def _good(run: Mapping[str, Any]) -> str:
    total = run["plan"]["requests"]
    good = f"{run['counts']['good']:,}" if run["counts"] else "?"
    return f"{good} of {total:,}"


def _remarks(run: Mapping[str, Any]) -> str:
    sittings = len(run["sittings"])
    shard, parent, merged = run.get("shard"), run.get("parent"), run.get("merged")
    remarks = [
        "pinned" if run.get("pinned") else "",
        "simulated" if run["simulated"] else "",
        f"shard {shard['k']}/{shard['of']}" if shard else "",
        "some rows" if run["limited"] and not (shard and not shard["limited"]) else "",
        f"retry of {parent}" if parent else "",
        f"{len(merged):,} runs joined" if merged else "",
        f"{sittings} sittings" if sittings > 1 else "",
    ]
    return ", ".join(remark for remark in remarks if remark)
