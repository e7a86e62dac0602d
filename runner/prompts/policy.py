"""Whether a row that cannot be rendered stops the job or is left out: its source's `on_bad_row`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from runner.errors import SpecError
from runner.records import Row
from runner.spec.job import InputSource, JobSpec

Severity: TypeAlias = Literal["error", "warning"]


class BadRowPolicy:
    """Answers for a row. A row does not say which source it came from; its file does, where sources disagree."""

    def __init__(self, job: JobSpec) -> None:
        policies = {source.on_bad_row for source in job.inputs} or {"stop"}
        self._skip = policies == {"skip"}
        self._files = {} if len(policies) == 1 else _by_file(job)

    def severity(self, row: Row) -> Severity:
        """`error` ends the planning, `warning` leaves the request out."""
        return "warning" if self._files.get(row.source.file, self._skip) else "error"


def _by_file(job: JobSpec) -> dict[str, bool]:
    """File → whether its bad rows are skipped. A file named twice with two policies stops."""
    files: dict[str, bool] = {}
    for source in job.inputs:
        name = _file_of(source, job)
        files[name] = files.get(name, True) and source.on_bad_row == "skip"
    return files


def _file_of(source: InputSource, job: JobSpec) -> str:
    if source.kind == "rows":
        return source.at.file
    try:
        return job.confine.shown(job.confine.resolve(source.path, base=source.base))
    except SpecError:
        return source.path  # `-`, or a pattern: its files are not known here, and a bad one stops
