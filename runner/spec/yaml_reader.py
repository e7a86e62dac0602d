"""Reads one YAML document: PyYAML's parser, promptrun's scalars, a position for every key and value.

The steps from bytes to `Document`; knows nothing of what a spec may hold. All problems of a file are
reported together, as far as the parser gets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from runner.errors import Position, Problem, SpecError
from runner.spec.complaints import Complaints
from runner.spec.composer import Composer, TooMuch
from runner.spec.document import Document, Node, path_text
from runner.spec.scalars import parse_scalar
from runner.spec.secrets import redact
from runner.spec.source_text import SourceText, credentials, decode, unprintable
from runner.spec.yaml_errors import syntax_problem

__all__ = ["Document", "parse_scalar", "path_text", "read_yaml"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it


def read_yaml(text: bytes, *, file: str) -> Document:
    """The document in the bytes of a file; `file` is its name in messages.

    UTF-8 with or without a byte order mark, at most 10 MB, 10,000 nodes and 100 levels. Raises SpecError
    with every problem found.
    """
    source = decode(text, file=file)
    root, problems = _compose(source)
    problems += credentials(source)
    if problems:
        raise SpecError.of([_without_secrets(problem) for problem in _in_order(problems)])
    if root is None or _is_blank(root):
        step = "write the job's keys; `promptrun init` makes a file to start from"
        raise SpecError("the file is empty", where=Position(file), rule="yaml-empty", next=step)
    return Document(root.build(), file, source, root)


def _compose(source: SourceText, loader: Any = _LOADER) -> tuple[Node | None, list[Problem]]:
    if problems := unprintable(source):
        return None, problems  # no parser would get past them
    complaints = Complaints(source)
    root = None
    try:
        root = Composer(complaints, iter(yaml.parse(source.text, Loader=loader))).document()
    except TooMuch:
        pass
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: PyYAML's own scanner on odd escapes
        problem = syntax_problem(error, source)
        if not any(_on_one_line(problem, earlier) for earlier in complaints.found):
            complaints.found.append(problem)
    return root, complaints.found


def _on_one_line(one: Problem, other: Problem) -> bool:
    return one.where is not None and other.where is not None and one.where.line == other.where.line


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.where or Position(""))


def _without_secrets(problem: Problem) -> Problem:
    return replace(problem, what=redact(problem.what), path=redact(problem.path), next=redact(problem.next))


def _is_blank(root: Node) -> bool:
    return root.value is None and root.entries is None and root.items is None
