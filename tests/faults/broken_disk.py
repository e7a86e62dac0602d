"""The real command on a machine whose disk answers some calls with an error: `python broken_disk.py FAULT WORD…`.

Stands in for the operating system, below everything that promptrun is. A full disk needs none.
"""

from __future__ import annotations

import errno
import os
import runpy
import stat
import sys
from collections.abc import Callable
from typing import Any


def failing(real: Callable[..., Any], number: int, when: Callable[..., bool]) -> Callable[..., Any]:
    """The call as it is, but for those that are to fail with this errno."""

    def call(*arguments: Any, **options: Any) -> Any:
        if when(*arguments):
            raise OSError(number, os.strerror(number), os.fspath(arguments[0]) if number == errno.EACCES else None)
        return real(*arguments, **options)

    return call


def after(calls: int) -> Callable[..., bool]:
    """True from one call after the first so many."""
    made = iter(range(calls))
    return lambda *_: next(made, None) is None


def of_folders(when: Callable[..., bool]) -> Callable[..., bool]:
    """Of calls on a handle, those on one of a folder."""
    return lambda handle: stat.S_ISDIR(os.fstat(handle).st_mode) and when(handle)


def onto(name: str) -> Callable[..., bool]:
    return lambda _, target: os.fspath(target).endswith(name)


def main() -> None:
    fault, *words = sys.argv[1:]
    if fault == "fsync":  # a dying disk: the first writes reach it
        os.fsync = failing(os.fsync, errno.EIO, after(3))
    elif fault == "folder":  # one that cannot be synced once the run has begun
        os.fsync = failing(os.fsync, errno.EIO, of_folders(after(1)))
    elif fault == "order":  # somebody reads the results, which on Windows forbids to replace them
        os.replace = failing(os.replace, errno.EACCES, onto("results.jsonl"))
    else:
        raise SystemExit(f"no such fault: {fault}")
    sys.argv = ["promptrun", *words]
    runpy.run_module("runner.cli", run_name="__main__", alter_sys=False)


main()
