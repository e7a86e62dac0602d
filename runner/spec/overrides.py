"""What the command line changes: `--set a.b=value` edits the tree before it is checked, `--var` sets a variable.

An argument's problems are placed at the argument itself. What a row changes is in `row_overrides.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from runner.errors import Position, Problem, SpecError
from runner.records import Json
from runner.spec.document import Document, Path
from runner.spec.near import did_you_mean, listed
from runner.spec.overlay import overlay
from runner.spec.secrets import redact
from runner.spec.yaml_reader import parse_scalar, read_yaml

_STEP: Final = re.compile(r"""(?:^|\.)([^.\[\]"]+)|\[(\d{1,5})\]|\["((?:[^"\\]|\\.)*)"\]""")
_SHOWN: Final = 60


class _Misfit(Exception):
    """A path of `--set` that leads nowhere."""


def apply_sets(doc: Document, sets: Sequence[str]) -> tuple[Document, list[Path], list[Problem]]:
    """The document with every `--set` applied in order, the paths they wrote, and what is wrong with them.

    `key=null` takes a top-level key away, so that a job can be run without its matrix. Paths to files are
    relative to the spec's folder, as everything the spec says.
    """
    written: list[Path] = []
    problems: list[Problem] = []
    for argument in sets:
        at = argument_position("--set", argument)
        try:
            path, value = _parse_set(argument, at)
            tree = (
                without_path(doc.value, path) if value is None and len(path) == 1 else _replaced(doc.value, path, value)
            )
        except _Misfit as error:
            problems.append(
                Problem("bad-set", str(error), at, next="write --set key.inner=value, as in the spec's own paths")
            )
        except SpecError as error:
            problems += error.problems
        else:
            doc = overlay(doc, tree, {path: at})
            written.append(path)
    return doc, written, problems


def read_vars(arguments: Sequence[str], declared: Collection[str]) -> tuple[dict[str, Json], list[Problem]]:
    """`--var name=value` as typed values; the last of a name wins. An undeclared name is a problem."""
    values: dict[str, Json] = {}
    problems: list[Problem] = []
    for argument in arguments:
        at = argument_position("--var", argument)
        name, equals, text = argument.partition("=")
        if not equals or not name:
            problems.append(Problem("bad-var", f"`{redact(argument)}` has no `=`", at, next="write --var name=value"))
        elif name not in declared:
            problems.append(_undeclared(name, declared, at))
        else:
            try:
                values[name] = parse_scalar(text)
            except SpecError as error:
                problems += _placed(error, at)
    return values, problems


def argument_position(flag: str, argument: str) -> Position:
    """The place of an argument, for messages: `--set run.concurrency=3`."""
    text = redact(argument).replace("\n", "\\n")
    return Position(f"{flag} {text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}")


def _undeclared(name: str, declared: Collection[str], at: Position) -> Problem:
    known = f"the spec declares {listed(declared)}" if declared else "the spec declares no `vars`"
    step = did_you_mean(name, declared, otherwise=f"{known}; add `{name}` there with a default")
    return Problem("unknown-var", f"`{name}` is not declared in `vars`", at, next=step)


def _parse_set(argument: str, at: Position) -> tuple[Path, Json]:
    key, equals, text = argument.partition("=")
    if not equals:
        raise _Misfit("there is no `=`")
    return parse_path(key), _parse_value(text, at)


def parse_path(text: str) -> Path:
    """`messages[0].role` as steps, the reverse of `path_text`; raises for text that is no path."""
    steps: list[str | int] = []
    end = 0
    while end < len(text):
        match = _STEP.match(text, end)
        if match is None:
            raise _Misfit(f"`{text}` is not a path of keys")
        name, index, quoted = match.groups()
        steps.append(int(index) if index else name if name else re.sub(r"\\(.)", r"\1", quoted))
        end = match.end()
    if not steps or isinstance(steps[0], int):
        raise _Misfit("the path starts with a key" if steps else "there is no key before `=`")
    return tuple(steps)


def _parse_value(text: str, at: Position) -> Json:
    """Lists, maps and quoted text as YAML's flow style; anything else as one plain value, a template included."""
    try:
        if text[:1] in ("[", "{", '"', "'") and not text.startswith(("{{", "{%")):
            return read_yaml(text.encode("utf-8", "surrogateescape"), file=at.file).value
        return parse_scalar(text)
    except SpecError as error:
        raise SpecError.of(_placed(error, at)) from None


def _placed(error: SpecError, at: Position) -> list[Problem]:
    return [Problem(p.rule, p.what, at, p.path, p.next, p.severity) for p in error.problems]


def without_path(tree: Any, path: Path) -> Any:
    """A copy of the tree without what stands at a path; items of lists stay, so that the others keep their places."""
    step, rest = path[0], path[1:]
    if isinstance(tree, list) and isinstance(step, int) and rest:
        return [without_path(item, rest) if i == step else item for i, item in enumerate(tree)]
    if not isinstance(tree, Mapping) or step not in tree:
        return tree
    if rest:
        return {name: without_path(value, rest) if name == step else value for name, value in tree.items()}
    return {name: value for name, value in tree.items() if name != step}


def _replaced(tree: Any, path: Path, value: Json) -> Any:
    """A copy of the tree with one value replaced; maps that are not there yet are made."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        if not isinstance(tree, list) or step >= len(tree):
            size = f"has {len(tree)} items, counted from 0" if isinstance(tree, list) else "is not a list"
            raise _Misfit(f"there is no item [{step}]: what stands there {size}")
        return [_replaced(old, rest, value) if i == step else old for i, old in enumerate(tree)]
    if tree is not None and not isinstance(tree, Mapping):
        raise _Misfit(f"`{step}` cannot be set: what stands there is not a map")
    return {**(tree or {}), step: _replaced((tree or {}).get(step), rest, value)}
