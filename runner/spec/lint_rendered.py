"""The rules about models once more, for what only a row decides: `model: "{{ row.model }}"`, or a row's overrides.

The same functions that lint runs over a spec, over the rendered fields of one request. A million rows have few
different combinations, and each is looked at once. Gives errors only: a warning of lint is about the spec as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

from runner.errors import Problem
from runner.spec import (
    lint_conversation,
    lint_fallbacks,
    lint_media,
    lint_models,
    lint_output,
    lint_providers,
    lint_services,
    lint_tools,
)
from runner.spec.fields import Field
from runner.spec.job import CellSpec, JobSpec
from runner.spec.lint_facts import CellFacts

DECISIVE: Final = frozenset(
    (
        *("model", "max_tokens", "thinking", "effort", "speed", "inference_geo", "tool_choice", "fallbacks"),
        *("messages", "container"),
    )
)
"""Fields that a rule looks at and a template or a row may supply."""

_RULES: Final[tuple[Callable[[CellFacts], Iterator[Problem]], ...]] = (
    lint_models.max_tokens_within_model,
    lint_models.long_replies_stream,
    lint_models.thinking_budget,
    lint_models.thinking_accepted,
    lint_models.effort_accepted,
    lint_conversation.message_order,
    lint_conversation.no_prefill,
    lint_tools.tool_choice_has_tools,
    lint_tools.forced_tools_accepted,
    lint_services.region_accepted,
    lint_services.speed_accepted,
    lint_services.system_turns_accepted,
    *lint_fallbacks.RULES,
    lint_output.model_enforces,
    lint_output.no_begun_answer,
    lint_output.room_for_an_answer,
    lint_providers.provider_has_default_fallbacks,
    lint_providers.provider_has_speed_and_region,
    lint_providers.provider_has_services,
    lint_media.attachments_or_messages,
)
_MOST_REMEMBERED: Final = 4096
_OF_A_ROW: Final = "overrides"
_HARMLESS_MAX_TOKENS: Final = 21_333
"""No model writes less, and up to here nothing has to be streamed."""


class RenderedRules:
    """What the rules say of the requests of one job; remembers what it was asked before."""

    def __init__(self, job: JobSpec) -> None:
        self._job = job
        self._known: dict[Any, tuple[Problem, ...]] = {}

    def problems(
        self, cell: CellSpec, fields: Mapping[str, Any], supplied: Collection[str], overridden: Collection[str]
    ) -> tuple[Problem, ...]:
        """fields: rendered, attachments aside. supplied: those that templates made; overridden: those of the row.

        A problem of an overridden field has no place: it is the row's.
        """
        own = DECISIVE.intersection(overridden)
        if not own and not supplied:
            return ()
        key = (cell.index, frozenset(own), *(_shown(name, fields) for name in _ORDERED))
        if key not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = tuple(self._found(cell, fields, own))
        return self._known[key]

    def _found(self, cell: CellSpec, fields: Mapping[str, Any], own: Collection[str]) -> Iterator[Problem]:
        if self._job.doc is None:
            return
        places = {**cell.paths, **{name: (_OF_A_ROW, name) for name in own}}
        facts = CellFacts(
            {name: Field(value, places.get(name, ())) for name, value in fields.items() if name != "turns"},
            self._job.doc,
            date.min,
            self._job.run.stream,
            client=self._job.client,
        )
        for rule in _RULES:
            for problem in rule(facts):
                if problem.is_error:
                    yield replace(problem, where=None) if problem.path.startswith(_OF_A_ROW) else problem


_ORDERED: Final = tuple(sorted(DECISIVE))


def _shown(name: str, fields: Mapping[str, Any]) -> Any:
    """A field as the rules see it, to be compared."""
    value = fields.get(name)
    if name == "messages":
        return tuple(message["role"] for message in value) if isinstance(value, list) else None
    if name == "container":
        return value is not None
    if name == "max_tokens" and isinstance(value, int) and 0 < value <= _HARMLESS_MAX_TOKENS:
        thinking = fields.get("thinking")
        return value if isinstance(thinking, Mapping) and "budget_tokens" in thinking else True
    return repr(value) if isinstance(value, (dict, list)) else value
