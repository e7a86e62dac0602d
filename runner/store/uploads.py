"""Ids of uploaded files in a run's journal, so that a run that goes on uploads none of them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from runner.records import AttachedFile
from runner.store.files import from_json, read_lines

_HEAD: Final = 32  # bytes of a line that hold its kind
_MARK: Final = b'"t":"upload"'


def upload_line(file: AttachedFile, id: str) -> dict[str, Any]:
    """The journal's line; its place in the run says when. The file's name and content stay out."""
    return {"v": 1, "t": "upload", "sha256": file.sha256, "bytes": file.size, "file_id": id}


def uploaded_ids(journal: Path) -> dict[str, str]:
    """sha256 → file id, the newest of each content; lines that cannot be read are passed over."""
    found: dict[str, str] = {}
    for _, line in read_lines(journal):
        record = from_json(line) if _MARK in line[:_HEAD] else None
        if record is not None and record.get("t") == "upload":
            found[record["sha256"]] = record["file_id"]
    return found
