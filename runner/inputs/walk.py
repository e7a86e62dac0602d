"""The files a pattern matches, in the order of their paths, one folder in memory at a time.

Ours instead of `glob` or `pathlib`: those hold every match before the first can be sorted, and differ between
versions of Python over links and hidden files. Here `*`, `?` and `[…]` match within a name, `**` any folders;
names with a leading dot only when the pattern's part has one too; upper and lower case always differ, so that
a job has the same rows on every machine. `**` does not follow links to folders. Confines nothing: `linked` says
what a link led to.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_MAGIC: Final = re.compile(r"[*?\[]")


class Match(NamedTuple):
    """path: below the start, with `/`. linked: whether a symbolic link lies on it."""

    path: str
    linked: bool


class _Folder(NamedTuple):
    path: str
    states: frozenset[int]
    linked: bool


def split_pattern(pattern: str) -> tuple[str, tuple[str, ...]]:
    """The folder a pattern starts in (`.` when it has none) and the parts to match below it, at least one."""
    parts = pattern.split("/")
    fixed = next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    start = "/".join(parts[:fixed]) or ("/" if pattern.startswith("/") else ".")
    below = [part for part in parts[fixed:] if part not in ("", ".")]
    if not below or below[-1] == "**":
        below.append("*")
    return start, tuple(below)


def walk(start: Path, parts: tuple[str, ...]) -> Iterator[Match]:
    """Every regular file below `start` whose path matches, sorted by path. Raises OSError for an unreadable folder."""
    tests = [None if part == "**" else _name_test(part) for part in parts]
    stack = [_listed(start, _Folder("", _closed(frozenset((0,)), tests), False), tests)]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
        elif isinstance(found, Match):
            yield found
        else:
            stack.append(_listed(start, found, tests))


_Tests = list["re.Pattern[str] | None"]


def _listed(start: Path, folder: _Folder, tests: _Tests) -> Iterator[Match | _Folder]:
    """What one folder holds of matches and of folders to go into, in the order of their whole paths."""
    with os.scandir(start / folder.path) as entries:
        # a folder sorts with its slash, because that is what stands in the paths below it
        names = sorted((entry.name + "/" if _is_folder(entry) else entry.name, entry.is_symlink()) for entry in entries)
    for name, link in names:
        states = _after(folder.states, name.rstrip("/"), name.endswith("/") and not link, tests)
        if not name.endswith("/"):
            if len(tests) in states and (start / folder.path / name).is_file():
                yield Match(folder.path + name, folder.linked or link)
        elif states - {len(tests)}:
            yield _Folder(folder.path + name, states - {len(tests)}, folder.linked or link)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _after(states: frozenset[int], name: str, descends: bool, tests: _Tests) -> frozenset[int]:
    """Which parts of the pattern may come next once `name` was taken; len(tests) means the pattern is used up."""
    taken = set()
    for state in states:
        test = tests[state]
        if test is None and descends and not name.startswith("."):
            taken.add(state)
        elif test is not None and test.fullmatch(name):
            taken.add(state + 1)
    return _closed(frozenset(taken), tests)


def _closed(states: frozenset[int], tests: _Tests) -> frozenset[int]:
    """With the parts after each `**`, which may also match no folder at all."""
    closed = set(states)
    for state in range(len(tests)):
        if state in closed and tests[state] is None:
            closed.add(state + 1)
    return frozenset(closed)


def _name_test(part: str) -> re.Pattern[str]:
    hidden = "" if part.startswith(".") else r"(?!\.)"
    return re.compile(hidden + fnmatch.translate(part))
