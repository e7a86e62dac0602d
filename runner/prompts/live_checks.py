"""What live models say against the requests of a plan, as problems with places. Pure: who asked them is no matter here.

The same mistakes have the same rules as when `rules.toml` knows of them; the API's word is newer. What a model does not
say is not held against a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Final, Literal

from runner.errors import Position, Problem
from runner.models.live import LiveModel
from runner.models.rules import known_models
from runner.prompts.wants import Want
from runner.records import Request
from runner.spec.gather import problem_at
from runner.spec.job import JobSpec
from runner.spec.near import did_you_mean, listed

_MEANT: Final = {"image_input": "images", "pdf_input": "PDF documents", "citations": "citations"}
_RETIRES_SOON_DAYS: Final = 90

Severity = Literal["error", "warning"]
Found = tuple[str, str, str]
"""(rule, what is wrong, what to do)"""


def live_problems(
    job: JobSpec, wanted: Mapping[Want, Request], models: Mapping[str, LiveModel], today: date
) -> list[Problem]:
    """Each once, at the place where the spec wants it. models: by id, fallbacks too."""
    problems: dict[Problem, None] = {}
    for want, request in wanted.items():
        model = models.get(str(want.value) if want.field == "fallbacks" else want.model)
        for found, severity in _found(want, model, models.get(want.model), today) if model else ():
            at = _at(job, want.field, request)
            rule, what, step = found
            problems[replace(at, rule=rule, what=what, next=step, severity=severity)] = None
    return list(problems)


def _found(want: Want, model: LiveModel, asked: LiveModel | None, today: date) -> Iterator[tuple[Found, Severity]]:
    if want.field in ("model", "fallbacks"):
        yield from _life(model, today)
    allowed = asked.fallbacks if asked is not None and want.field == "fallbacks" else None
    if allowed is not None and model.found and want.value not in allowed:
        what = f"`{want.model}` does not hand over to `{want.value}`"
        who = listed(allowed) if allowed else "nobody"
        yield ("fallback-refused", what, f"it hands over to {who}"), "error"
    if model.found and want.field in _CHECKS:
        for found in _CHECKS[want.field](want, model):
            yield found, "error"


def _life(model: LiveModel, today: date) -> Iterator[tuple[Found, Severity]]:
    id = model.id
    if not model.found:
        step = did_you_mean(id, known_models(), otherwise="check its spelling, and whether your account has it")
        yield ("unknown-model", f"the API knows no model `{id}`", step), "error"
    elif model.lifecycle == "retired":
        when = f" on {model.retires.isoformat()}" if model.retires else ""
        yield ("model-retires", f"`{id}` was retired{when}; requests to it fail", "move to a newer model"), "error"
    elif model.lifecycle == "deprecated" or (model.retires and (model.retires - today).days <= _RETIRES_SOON_DAYS):
        when = f" and retires on {model.retires.isoformat()}" if model.retires else ""
        yield ("model-retires", f"`{id}` is deprecated{when}", "move to a newer model"), "warning"


def _max_tokens(want: Want, model: LiveModel) -> Iterator[Found]:
    if model.max_tokens is not None and isinstance(want.value, int) and want.value > model.max_tokens:
        what = f"`{model.id}` writes at most {model.max_tokens:,} tokens, not {want.value:,}"
        yield "max-tokens-refused", what, f"write {model.max_tokens} or less"


def _effort(want: Want, model: LiveModel) -> Iterator[Found]:
    refused = model.effort.get(str(want.value)) is False
    if refused or model.supports.get("effort") is False:
        levels = [level for level, supported in model.effort.items() if supported]
        step = f"it takes {listed(levels)}" if levels else "remove it: this model has no effort setting"
        yield "effort-refused", f"`{model.id}` does not take effort `{want.value}`", step


def _thinking(want: Want, model: LiveModel) -> Iterator[Found]:
    if model.thinking.get(str(want.value)) is False or model.supports.get("thinking") is False:
        kinds = ["off" if kind == "disabled" else kind for kind, supported in model.thinking.items() if supported]
        shown = "off" if want.value == "disabled" else want.value
        step = f"it takes {listed(kinds)}" if kinds else "remove `thinking`"
        yield "thinking-refused", f"`{model.id}` does not take thinking `{shown}`", step


def _output(want: Want, model: LiveModel) -> Iterator[Found]:
    if model.supports.get("structured_outputs") is False:
        what = f"`{model.id}` has no structured outputs"
        yield "output-refused", what, "write `output: {mode: text}`, or move to a newer model"


def _attachments(want: Want, model: LiveModel) -> Iterator[Found]:
    if model.supports.get(str(want.value)) is False:
        what = f"`{model.id}` takes no {_MEANT[str(want.value)]}"
        yield "media-refused", what, "attach the text instead, or choose another model"


_CHECKS: Final[Mapping[str, Callable[[Want, LiveModel], Iterator[Found]]]] = {
    "max_tokens": _max_tokens,
    "effort": _effort,
    "thinking": _thinking,
    "output": _output,
    "attachments": _attachments,
}


def _at(job: JobSpec, field: str, request: Request) -> Problem:
    """A problem at the field of the request's cell; at its row when the spec does not have the field."""
    cell = job.cells[request.n // job.repeat % len(job.cells)]
    names = [field, "messages"] if field == "attachments" else [field]
    path = next((cell.paths[name] for name in names if cell.paths.get(name)), None)
    if path is not None and job.doc is not None:
        return problem_at(job.doc, "", "", path)
    return Problem("", "", Position(request.source.file, request.source.line or 0), field)
