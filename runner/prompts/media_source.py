"""The name of the source that stands for a file in a body until it is sent. Holds nothing else."""

from __future__ import annotations

from typing import Final

FILE: Final = "promptrun_file"
"""`{"type": FILE, "media_type", "sha256", "size"}`; no API knows it, and no spec or row can write it."""
