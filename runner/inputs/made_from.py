"""What a plan was made from: a digest of all that was chosen, and a hash of every file that was read.

It tells whether a plan kept on disk would come out the same today. Content decides, never a time of change; a job whose
files are found by looking (a glob, paths on stdin) is not told, and is planned anew.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

import orjson

from runner import __version__
from runner.inputs.stdin import STDIN_NAME, Stdin
from runner.records import Json
from runner.spec.job import JobSpec


class ReadEnvironment(Mapping[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.read: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        self.read[name] = self._env.get(name)
        return self._env[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._env)

    def __len__(self) -> int:
        return len(self._env)


@dataclass(frozen=True)
class MadeFrom:
    """chosen: a digest of flags, environment and versions. files: path → sha256 of its content."""

    chosen: str
    files: Mapping[str, str]

    def to_json(self) -> dict[str, Json]:
        return {"chosen": self.chosen, "files": dict(self.files)}


def chosen_digest(choices: Iterable[object], env: ReadEnvironment) -> str:
    """choices: records of what the command line chose; their `repr` tells them apart."""
    versions = [__version__, platform.python_version()]
    text = orjson.dumps([versions, [repr(choice) for choice in choices], sorted(env.read.items())])
    return sha256(text).hexdigest()


def made_from(job: JobSpec, chosen: str, stdin: Stdin, attached: bool) -> MadeFrom | None:
    """After planning; None when not everything can be told. attached: requests have files of their own."""
    if attached or any(source.kind in ("glob", "paths") for source in job.inputs):
        return None
    paths = [str(path) for path in (*job.files, *job.templates.files, *data_files(job))]
    paths += [STDIN_NAME for source in job.inputs if source.path == "-"]
    hashes = _hashes(paths, stdin)
    return None if hashes is None else MadeFrom(chosen, hashes)


def still_holds(told: Json, chosen: str, stdin: Stdin) -> bool:
    """Whether what a plan was made from (`MadeFrom.to_json`, read from a file) is what is there now."""
    try:
        return bool(told["chosen"] == chosen and _hashes(told["files"], stdin) == told["files"])
    except (KeyError, TypeError):
        return False


def data_files(job: JobSpec) -> list[Path]:
    """The input files a spec names one by one; what a glob finds is in the results' `source`."""
    named = [source for source in job.inputs if source.kind == "file" and source.path != "-"]
    return [job.confine.resolve(source.path, base=source.base) for source in named]


def _hashes(paths: Iterable[str], stdin: Stdin) -> dict[str, str] | None:
    """None when one of them cannot be read."""
    try:
        return {path: _hash(stdin.path() if path == STDIN_NAME else Path(path)) for path in paths}
    except OSError:
        return None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
