"""What a row may change for its own requests: literal values, checked like the spec's, never templates.

For rows while they are planned; pure but for the schema's memory of values seen before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.records import Json, RetryPolicy, Timeout
from runner.spec.attachments import has_condition, is_item, row_items
from runner.spec.fields import normal_field, written_fields
from runner.spec.job import ROW_OVERRIDE_FIELDS, JobSpec
from runner.spec.near import did_you_mean, listed
from runner.spec.schema import check_field
from runner.spec.settings import retry_over, timeout_over
from runner.spec.turns import literal_turns, wrong_turns

_QUESTIONS = ("prompt", "messages", "turns")  # each is the whole conversation
_ALSO_READ = "output_config"  # the API's own spelling of `effort`


@dataclass(frozen=True, slots=True)
class RowOverrides:
    """fields: request fields as in `CellSpec.fields`, all literal. timeout, retry: None when the row says nothing."""

    fields: Mapping[str, Json] = field(default_factory=dict)
    timeout: Timeout | None = None
    retry: RetryPolicy | None = None


def check_overrides(overrides: Json, job: JobSpec) -> str | None:
    """What is wrong with a row's overrides, in one line; None when nothing is."""
    if not isinstance(overrides, Mapping):
        return "a row's overrides are a map of request fields"
    faults = [fault for name, value in overrides.items() if (fault := _fault(str(name), value, job))]
    return "; ".join((*faults, *_foreign(overrides))) or None


def normal_overrides(overrides: Mapping[str, Json], job: JobSpec) -> RowOverrides:
    """The overrides as settings of one row's requests, without what `--set` decided. Only for checked ones."""
    kept = {name: value for name, value in overrides.items() if name not in job.set_fields}
    return RowOverrides(
        {name: _literal(name, value) for name, (value, _) in written_fields(kept).items()},
        timeout_over(job.run.request_timeout, kept["request_timeout"]) if "request_timeout" in kept else None,
        retry_over(job.run.retry, kept["retry"]) if "retry" in kept else None,
    )


def _is_foreign(name: str) -> bool:
    return name not in ROW_OVERRIDE_FIELDS and name != _ALSO_READ


def _foreign(overrides: Mapping[str, Json]) -> Iterator[str]:
    """Keys that are none of a row's and near none of them, in one sentence: what a row may set is a long list."""
    names = [name for name in map(str, overrides) if _is_foreign(name) and not did_you_mean(name, ROW_OVERRIDE_FIELDS)]
    if names:
        yield f"a row cannot set {listed(names)}: a row may set {listed(ROW_OVERRIDE_FIELDS, most=20)}"


def _fault(name: str, value: Json, job: JobSpec) -> str | None:
    if _is_foreign(name):
        hint = did_you_mean(name, ROW_OVERRIDE_FIELDS)
        return f"a row cannot set `{name}`: {hint}" if hint else None
    if _names_file(_contents(name, value)):
        return f"`{name}`: a row's overrides are literal text, `file` is for the spec"
    if name in ("attachments", "messages") and has_condition(value):
        return f"`{name}`: a row's overrides are literal, `when` is for the spec"
    others = [other for other in _QUESTIONS if name in _QUESTIONS and other != name]
    for other in others:
        if all(other in cell.fields for cell in job.cells):
            return f"a row cannot set `{name}`: the spec has `{other}`"
    return check_field(name, value) or (wrong_turns(value) if name == "turns" else None)


def _contents(name: str, value: Json) -> Json:
    """What a field says, without who says it."""
    if name == "messages":
        return [message.get("content") for message in _maps(value)]
    return [content for turn in _maps(value) for content in turn.values()] if name == "turns" else value


def _names_file(value: Json) -> bool:
    if isinstance(value, Mapping):
        return "file" in value
    return isinstance(value, list) and any(_names_file(item) for item in value)


def _maps(value: Json) -> list[Mapping[str, Json]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _literal(name: str, value: Json) -> Any:
    """In the shape that `CellSpec.fields` has: blocks with their type, thinking as the API says it."""
    if name == "system":
        return _blocks(value)
    if name == "messages":
        return [{**message, "content": _blocks(message["content"])} for message in value]
    if name == "turns":
        return literal_turns(value)
    if name == "attachments":
        return row_items(value)
    return normal_field(name, value)


def _blocks(value: Json) -> Json:
    if not isinstance(value, list):
        return value
    return [made for block in value for made in (row_items(block) if is_item(block) else [{"type": "text", **block}])]
