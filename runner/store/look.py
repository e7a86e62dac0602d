"""Reading usage.json of a run, which commands show beside its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.store.files import from_json
from runner.store.versions import check_format


def read_usage(folder: Path) -> dict[str, Any] | None:
    """usage.json of a run; None while the run has never come to an end. Raises OutputError for a newer format."""
    path = folder / "usage.json"
    usage = from_json(path.read_bytes()) if path.is_file() else None
    if usage is not None:
        check_format(usage, path)
    return usage
