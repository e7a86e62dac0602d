"""Run ids: `20261122T092811.123Z-7f3a`, sortable as text, and a new one never sorts below an existing one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

_ID = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{4}")


def is_run_id(name: str) -> bool:
    return _ID.fullmatch(name) is not None


def run_ids(job_folder: Path) -> list[str]:
    """The run folders of a job by name, newest first."""
    if not job_folder.is_dir():
        return []
    return sorted((entry.name for entry in job_folder.iterdir() if is_run_id(entry.name)), reverse=True)


def new_run_id(utc: str, existing: Iterable[str], *, suffix: str | None = None) -> str:
    """An id for a run that starts at `utc` (RFC 3339); a millisecond past the newest one when the clock went back."""
    moment = datetime.fromisoformat(utc).astimezone(UTC)
    newest = max(existing, default="")
    if newest and _stamp(moment) <= newest.split("-")[0]:
        moment = datetime.strptime(newest.split("-")[0], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
        moment += timedelta(milliseconds=1)
    return f"{_stamp(moment)}-{suffix or secrets.token_hex(2)}"


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
