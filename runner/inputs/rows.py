"""The rows of a job, in order: read → keep (`where`, `limit`) → number and name → select.

One row in memory at a time. A row that cannot be used is a `Row` with a problem whose severity says what
`on_bad_row` makes of it; a source that cannot be read at all raises. Ids are not compared here.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Final

from runner.errors import Problem, SpecError
from runner.inputs.context import RowContext
from runner.inputs.entry import BadRow, Entry
from runner.inputs.ids import Namer, namer, numbered_id
from runner.inputs.select import Selection, select
from runner.inputs.sources import entries, shown_name
from runner.inputs.stamps import Stamps
from runner.inputs.stdin import Stdin
from runner.inputs.values import StrictJson, json_reason
from runner.records import Json, Row, Source
from runner.spec.job import InputSource, JobSpec
from runner.spec.template import Expression, TemplateFailure

_EVERY_ROW: Final = Selection()


def read_rows(job: JobSpec, selection: Selection = _EVERY_ROW, *, stdin: Stdin, stamps: Stamps) -> Iterator[Row]:
    """Every selected row of the job. Give the same `stdin` and `stamps` to read them a second time.

    Raises SpecError for a source that is missing, not UTF-8, changed since the first time, or empty unless that
    is `ok`, and for a selection that means no row.
    """
    return select(lambda: _numbered(job, stdin, stamps), selection)


def _numbered(job: JobSpec, stdin: Stdin, stamps: Stamps) -> Iterator[Row]:
    if not job.inputs:
        yield Row(1, "1", {}, Source(job.confine.shown(job.path)))
    context = RowContext(job)
    number = 0
    for source in job.inputs:
        found = entries(source, confine=job.confine, stamps=stamps, stdin=stdin)
        number = yield from _of_source(source, found, number, context)


def _of_source(
    source: InputSource, found: Iterator[Entry], before: int, context: RowContext
) -> Generator[Row, None, int]:
    """The rows of one source; before: how many rows came earlier. Returns how many there are now."""
    name = namer(source, context)
    number, dropped = before, 0
    last = before + source.limit if source.limit is not None else -1
    overrides = source.overrides or ("overrides" if source.kind == "rows" else None)
    for entry in found:
        kept = entry if source.where is None else _judged(entry, source.where, context)
        if kept is None:
            dropped += 1
            continue
        number += 1
        yield _row(kept, number, name, overrides, source)
        if number == last:
            return number
    if number == before and source.on_empty == "error":
        raise _no_rows(source, dropped)
    return number


def _judged(entry: Entry, where: Expression, context: RowContext) -> Entry | None:
    """The entry if `where` is true of it, None if not; an entry with a problem when that can't be told."""
    values, source, problem = entry
    if problem is not None:
        return entry
    try:
        return entry if where.evaluate(context(values, where)) else None
    except (TemplateFailure, SpecError) as error:
        return {}, source, _template_problem(error, source)


def _row(entry: Entry, number: int, name: Namer, overrides: str | None, source: InputSource) -> Row:
    values, where, problem = entry
    skip = source.on_bad_row == "skip"
    if problem is None:
        try:
            if overrides is None or overrides not in values:
                return Row(number, name(values, number), values, where, skip=skip)
            changed = _overrides(values.pop(overrides), overrides)
            return Row(number, name(values, number), values, where, changed, skip=skip)
        except BadRow as bad:
            problem = bad.problem(where)
        except (TemplateFailure, SpecError) as error:
            problem = _template_problem(error, where)
    if skip:
        problem = replace(problem, severity="warning")
    return Row(number, numbered_id(number), {}, where, problem=problem, skip=skip)


def _overrides(value: Json, column: str) -> dict[str, Json]:
    """The map a row changes its request with; a CSV cell holds it as JSON, empty for none. Raises BadRow."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        value = _parsed(value, column)
    if not isinstance(value, dict):
        raise BadRow("row-overrides", f"`{column}` is not a map of request fields", next='write {"max_tokens": 500}')
    return value


def _parsed(text: str, column: str) -> Json:
    try:
        value, end, fault = StrictJson().decode(text.strip())
    except json.JSONDecodeError as error:
        raise BadRow(
            "row-overrides", f"`{column}` is not JSON: {json_reason(error)} (character {error.pos + 1})"
        ) from None
    except RecursionError:
        fault, value, end = "it is nested too deeply", None, len(text)
    if end < len(text.strip()):
        fault = f"something follows the JSON value at character {end + 1}"
    if fault:
        raise BadRow("row-overrides", f"`{column}` cannot be used: {fault}")
    return value


def _template_problem(error: TemplateFailure | SpecError, row: Source) -> Problem:
    """The problem of an expression with this row; its place is the expression's, so the row is named in words."""
    problem = error.problem if isinstance(error, TemplateFailure) else error.problems[0]
    return replace(problem, what=f"{problem.what}, in the row at {row}")


def _no_rows(source: InputSource, dropped: int) -> SpecError:
    name = shown_name(source)
    if dropped:
        what = f"`where` keeps no row of {name}; it was asked of {dropped}"
        step = "change `where`, or set `on_empty: ok` when no rows are fine"
    elif source.kind == "glob":
        what, step = f"no file matches {name}", "change the pattern, or set `on_empty: ok` when no files are fine"
    else:
        what, step = f"{name} has no rows", "add rows, or set `on_empty: ok` when none are fine"
    return SpecError(what, where=source.at, next=step, rule="no-rows")
