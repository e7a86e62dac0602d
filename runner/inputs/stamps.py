"""Size and time of change of every input file, so that planning and sending provably read the same rows.

A job reads its inputs twice: to plan, and to send. Nothing here reads content or guesses which version is right.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import BinaryIO

from runner.errors import Position, SpecError


class Stamps:
    """What each source looked like when it was first opened. One object lives as long as the job."""

    def __init__(self) -> None:
        self._seen: dict[str, Hashable] = {}

    def check_open(self, path: Path, stream: BinaryIO, shown: str) -> None:
        """Note the file behind an open stream, or compare it with the first time; raises SpecError `source-changed`."""
        self._compare(str(path), _stamp(os.fstat(stream.fileno())), shown)

    def check(self, path: Path, shown: str) -> os.stat_result:
        """The same for a file that is not open; its stat, for whoever wants the size. Raises OSError too."""
        stat = path.stat()
        self._compare(str(path), _stamp(stat), shown)
        return stat

    def check_listing(self, pattern: str, digest: bytes) -> None:
        """Note which files a glob found, as a digest over their paths, or compare it with the first time."""
        self._compare(f"glob {pattern}", digest, pattern)

    def _compare(self, key: str, stamp: Hashable, shown: str) -> None:
        if self._seen.setdefault(key, stamp) != stamp:
            raise SpecError(
                f"`{shown}` changed while the job was reading it",
                where=Position(shown),
                next="let whatever writes it finish, then run again",
                rule="source-changed",
            )


def _stamp(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns
