"""Opens a spec file: its YAML with what the command line sets, checked against the schema, and the sound part of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from runner.errors import Position, Problem, SpecError
from runner.records import Json
from runner.spec.document import Path as TreePath
from runner.spec.gather import Gathered
from runner.spec.near import did_you_mean
from runner.spec.overlay import overlay
from runner.spec.overrides import apply_sets, parse_path, without_path
from runner.spec.paths import confine, is_device_name
from runner.spec.schema import check_tree
from runner.spec.yaml_reader import read_yaml

_NAME_LENGTH: Final = 64
UNKNOWN: Final = "?"
"""Among broken keys: some key is unknown, so a missing one may only be misspelt."""


def open_spec(path: Path, allow_paths: Iterable[Path]) -> Gathered:
    """The spec's document. Raises SpecError when it cannot be read or is not YAML."""
    data = _bytes(path)
    allowed = confine(path, allow_paths)
    file = path.resolve()
    return Gathered(read_yaml(data, file=allowed.shown(file)), allowed, file.parent)


def check_spec(gathered: Gathered, sets: Sequence[str]) -> list[TreePath]:
    """Applies `--set`, checks the tree, and gives the paths that `--set` wrote."""
    gathered.doc, written, problems = apply_sets(gathered.doc, sets)
    gathered.problems += [*problems, *check_tree(gathered.doc)]
    return written


def sound_part(gathered: Gathered) -> Mapping[str, Json]:
    """The tree without what has problems.

    A wrong part is cut out as small as the schema allows, so that what stands beside it is still looked at.
    Raises SpecError when the document is no map.
    """
    errors = [problem for problem in gathered.problems if problem.is_error]
    if not isinstance(gathered.doc.value, Mapping):
        raise SpecError.of(errors)
    tree: Any = gathered.doc.value
    for problem in errors:
        tree = without_path(tree, parse_path(problem.path)) if problem.path else tree
    left = check_tree(overlay(gathered.doc, tree, {})) if tree is not gathered.doc.value else []
    hopeless = {parse_path(problem.path)[0] for problem in left if problem.path}
    return {key: value for key, value in tree.items() if key not in hopeless}


def broken_keys(problems: Iterable[Problem]) -> frozenset[str]:
    """The top-level keys that errors stand in, and `UNKNOWN` when one of them is no key at all."""
    errors = [(problem, parse_path(problem.path)) for problem in problems if problem.is_error and problem.path]
    unknown = any(one.rule in ("unknown-key", "not-in-version") and len(path) == 1 for one, path in errors)
    return frozenset(str(path[0]) for _, path in errors) | (frozenset({UNKNOWN}) if unknown else frozenset())


def job_name(tree: Mapping[str, Json], path: Path, gathered: Gathered) -> str:
    """The name written in the spec, else a slug of the file's stem."""
    if "name" in tree:
        return str(tree["name"])
    slug = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_")[:_NAME_LENGTH]
    if not slug:
        gathered.add("missing-key", f"the file name `{path.name}` gives the job no name", (), next="add `name: my-job`")
    elif slug == "simulated" or is_device_name(slug):
        what = f"the job cannot be named `{slug}` after its file: the name has a meaning of its own"
        gathered.add("reserved-name", what, (), next="add `name: my-job`")
    return slug


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe may never end, and it is read only once
            what, step = "this is not a regular file", "write the spec into a file"
            raise SpecError(what, where=Position(str(path)), rule="file-unreadable", next=step)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path) from None
    except IsADirectoryError:
        where = Position(str(path))
        raise SpecError(
            "this is a folder, not a spec", where=where, rule="file-not-found", next="name a .yaml file"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SpecError(
            f"the spec cannot be read: {reason}", where=Position(str(path)), rule="file-unreadable"
        ) from None


def _missing(path: Path) -> SpecError:
    folder = path.parent
    specs = [(folder / file.name).as_posix() for file in folder.glob("*.y*ml")] if folder.is_dir() else []
    step = did_you_mean(path.as_posix(), specs, otherwise="`promptrun init` makes a starting job")
    return SpecError("there is no such file", where=Position(str(path)), rule="file-not-found", next=step)
