"""One run of a job at a time: a lock of the operating system on `<job>/.lock`, which a dead process never leaves.

Each shard has a lock of its own, `.lock-2-of-8`: shards and a run of all rows write into folders of their own, so
they may go on side by side. The file names the holder for people; whether it is locked is decided by the lock alone.
It is never deleted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from runner.errors import TryLater
from runner.store.files import cannot_write, from_json, to_json

NAME = ".lock"
_TAKEN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    # Windows locks keep others from reading the bytes, so a byte far behind the holder's name is locked.
    _FAR = 1 << 30

    def _take(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Held(TryLater):
    """Another process holds the lock."""


def lock_name(shard: Mapping[str, Any] | None) -> str:
    """shard: as in run.json, `{k, of}`; None for a run of all rows."""
    return f"{NAME}-{shard['k']}-of-{shard['of']}" if shard else NAME


class JobLock:
    """Held from its making until `release()` or the end of the process. Raises Held when another holds it."""

    def __init__(self, job_folder: Path, *, at: str, name: str = NAME) -> None:
        self.path = job_folder / name
        self.at = at
        try:
            self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            _take(self.handle)
        except OSError as error:
            os.close(self.handle)
            # A file system without locks answers with another error: that is no other run.
            raise (held(self.path) if error.errno in _TAKEN else cannot_write(self.path, error)) from error

    def name_run(self, run: str) -> None:
        """Say who holds the lock, for the message others get."""
        holder = to_json({"pid": os.getpid(), "host": socket.gethostname(), "run": run, "at": self.at})
        try:
            os.ftruncate(self.handle, 0)
            os.lseek(self.handle, 0, os.SEEK_SET)
            os.write(self.handle, holder)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def release(self) -> None:
        os.close(self.handle)


def require_free(job_folder: Path, shard: Mapping[str, Any] | None) -> None:
    """Raises Held while another process runs this job, or this shard of it."""
    name = lock_name(shard)
    if (job_folder / name).exists():
        JobLock(job_folder, at="", name=name).release()


@contextmanager
def all_locks(job_folder: Path, *, at: str) -> Iterator[None]:
    """Every lock of the job, so that nobody runs any part of it. Raises Held."""
    shards = sorted(path.name for path in job_folder.glob(f"{NAME}-*-of-*"))
    with ExitStack() as stack:
        for name in (NAME, *shards):
            stack.callback(JobLock(job_folder, at=at, name=name).release)
        yield


def held(path: Path) -> Held:
    """The error that names the holder as far as the lock file tells."""
    shard = path.name.removeprefix(NAME).strip("-").replace("-of-", "/")
    job = f"shard {shard} of `{path.parent.name}`" if shard else f"`{path.parent.name}`"
    holder: dict[str, Any] = {}
    with contextlib.suppress(OSError):
        holder = from_json(path.read_bytes()) or {}
    who = f"process {holder['pid']} on {holder['host']} (run {holder['run']})" if "run" in holder else "another process"
    return Held(
        f"{job} is being run by {who}",
        next="Wait for it to end (`--wait` does), or stop it; then run the same command again.",
        rule="locked",
    )
