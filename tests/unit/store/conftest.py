"""The one fixture of the store's tests; what it is made of is in `store_job.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_job import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)
