"""Standard input as a file that can be read twice: once to plan, once to send.

Nothing is read before `path` is asked for, so a job without `-` never waits for a terminal.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from runner.errors import OutputError

STDIN_NAME = "<stdin>"


class Stdin:
    """stream: binary. cwd: what the paths written on stdin are relative to; the working directory by default."""

    def __init__(self, stream: BinaryIO, *, cwd: Path | None = None) -> None:
        self._stream = stream
        self._spool: Path | None = None
        self.cwd = cwd or Path.cwd()

    @property
    def used(self) -> bool:
        """Whether anybody asked for it."""
        return self._spool is not None

    def path(self) -> Path:
        """The temporary file that holds all of stdin; `close` deletes it. Raises OutputError when the disk is full."""
        if self._spool is None:
            import shutil  # slow to import, and most jobs read no stdin
            import tempfile

            handle, name = tempfile.mkstemp(prefix="promptrun-stdin-")
            self._spool = Path(name)
            try:
                with os.fdopen(handle, "wb") as spool:  # closed before anyone reads it: Windows opens a file once
                    shutil.copyfileobj(self._stream, spool, 1 << 20)
            except OSError as error:
                raise OutputError(f"standard input could not be spooled to {name}: {error.strerror}") from None
        return self._spool

    def close(self) -> None:
        """Delete the spool; safe to call more than once."""
        if self._spool is not None:
            self._spool.unlink(missing_ok=True)
            self._spool = None

    def __enter__(self) -> Stdin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
