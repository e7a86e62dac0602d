"""Rules about a job as a whole: rows and variables that nothing reads. All of them warn only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from runner.errors import Problem
from runner.spec.gather import problem_at
from runner.spec.job import InputSource
from runner.spec.lint_facts import JobFacts

_OWN_NAMES: Final = frozenset({"vars", "matrix", "repeat", "replies"})


def rows_are_read(facts: JobFacts) -> Iterator[Problem]:
    """Many rows, and a request that reads none of them: each sends the same."""
    variables = _keys(facts, "vars")
    reads_row = any(names - _OWN_NAMES - variables for names in facts.cell_names)
    if reads_row or not any(_has_many(source) for source in facts.inputs):
        return
    if any(_may_override(source) for source in facts.inputs) or _rows_shadow(facts.inputs, variables, facts.names):
        return
    what = "no template reads a row, so every row sends the same request"
    step = "name a column in the prompt, for example `{{ text }}`, or use `repeat` to ask the same again"
    yield problem_at(facts.doc, "rows-unused", what, ("inputs",), next=step, severity="warning")


def variables_are_read(facts: JobFacts) -> Iterator[Problem]:
    if "vars" in facts.names:  # vars[...] may read any of them
        return
    varied = _keys(facts, "matrix") if "matrix" in facts.names else frozenset()
    for name in facts.tree.get("vars", {}):
        if name not in facts.names and name not in varied:
            what = f"no template reads `{name}`"
            step = f"write `{{{{ {name} }}}}` where it belongs, or remove it"
            yield problem_at(facts.doc, "unused-var", what, ("vars", name), next=step, severity="warning", on_key=True)


RULES: tuple[Callable[[JobFacts], Iterator[Problem]], ...] = (rows_are_read, variables_are_read)


def _keys(facts: JobFacts, name: str) -> frozenset[str]:
    return frozenset(facts.tree.get(name, {}))


def _has_many(source: InputSource) -> bool:
    return len(source.rows) > 1 if source.kind == "rows" else source.limit != 1


def _may_override(source: InputSource) -> bool:
    return source.overrides is not None or any("overrides" in row for row in source.rows)


def _rows_shadow(inputs: tuple[InputSource, ...], variables: frozenset[str], names: frozenset[str]) -> bool:
    """Whether a row may have a column named like a variable that templates read; it would win over the variable."""
    read = variables & names
    return bool(read) and any(
        source.kind != "rows" or any(read & row.keys() for row in source.rows) for source in inputs
    )
