"""The version every file under `outputs/` carries as `v`, and what to say to a newer one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.errors import OutputError

FORMAT = 1


def check_format(tree: Mapping[str, Any], path: Path) -> None:
    """Raises OutputError for a file of a newer promptrun."""
    version = tree.get("v")
    if type(version) is int and version > FORMAT:
        raise OutputError(
            f"`{path}` was written by a newer promptrun (format {version}; this one knows up to {FORMAT})",
            next="Upgrade with `pip install --upgrade promptrun`.",
            rule="newer-format",
        )
