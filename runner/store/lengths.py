"""How long answers were, by the model that was asked: what a later plan of the job expects of its output."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from runner.models.usage import usage_parts
from runner.store.files import from_json
from runner.store.run_id import run_ids
from runner.store.versions import FORMAT

_RUNS: Final = 5


class Lengths:
    """Requests answered in a run and the output tokens of all their calls, by the model asked."""

    def __init__(self) -> None:
        self.by_model: dict[str, tuple[int, int]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a result; one without usage, reused from another or simulated says nothing of length."""
        if not record.get("usage") or record.get("reused_from") or record.get("simulated"):
            return
        asked = str(record["model"]["asked"])
        output = sum(tokens.output for _, tokens in usage_parts(record["usage"], asked))
        results, total = self.by_model.get(asked, (0, 0))
        self.by_model[asked] = results + 1, total + output

    def to_json(self) -> dict[str, dict[str, int]]:
        return {
            model: {"results": results, "output_tokens": total}
            for model, (results, total) in sorted(self.by_model.items())
        }


def earlier_lengths(job_folder: Path) -> dict[str, tuple[int, int]]:
    """(results, output tokens) by model asked, over the newest runs of a job that Claude itself answered."""
    sums: dict[str, tuple[int, int]] = {}
    found = (_asked(job_folder / run_id) for run_id in run_ids(job_folder))
    for asked in islice(filter(None, found), _RUNS):
        for model, part in asked.items():
            results, total = sums.get(model, (0, 0))
            sums[model] = results + part["results"], total + part["output_tokens"]
    return sums


def _asked(folder: Path) -> Mapping[str, Mapping[str, int]]:
    path = folder / "usage.json"
    try:
        usage = from_json(path.read_bytes()) if path.is_file() else None
    except OSError:
        usage = None
    if usage is None or usage.get("v") != FORMAT:  # a guess is no reason to refuse a newer one
        return {}
    return usage.get("asked") or {}
