"""Rules about structured output beside the rest of a request. What the schema itself may hold is `output_rules`'.

API facts: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (feature compatibility)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from runner.errors import Problem
from runner.models.rules import rule_for
from runner.spec.document import Path
from runner.spec.job import OutputSpec
from runner.spec.lint_facts import CellFacts

_TEXT_MODE: Final = "write `output: {mode: text}` and say in the prompt what JSON to answer"


def model_enforces(facts: CellFacts) -> Iterator[Problem]:
    """Structured outputs came with Claude 4.5."""
    model = facts.literal("model")
    rules = rule_for(model) if isinstance(model, str) else None
    if _native(facts) and rules is not None and rules.structured_outputs is False:
        what = f"`{model}` has no structured outputs"
        yield facts.report("output-refused", what, "output", next=f"use a newer model, or {_TEXT_MODE}")


def no_second_format(facts: CellFacts) -> Iterator[Problem]:
    extra = _value(facts, "extra_body")
    config = extra.get("output_config") if isinstance(extra, Mapping) else None
    if _output(facts) is not None and isinstance(config, Mapping) and "format" in config:
        what = "`output` says already what a reply has to be"
        yield facts.report("output-conflict", what, "extra_body", "output_config", "format", next="keep `output`")


def no_citations(facts: CellFacts) -> Iterator[Problem]:
    """Citations split the reply into blocks, which the API refuses beside a format."""
    if not _native(facts):
        return
    for name in ("attachments", "messages", "turns", "extra_body"):
        for path in _cited(_value(facts, name)):
            what = "the API refuses citations beside a schema that it has to enforce"
            yield facts.report("output-conflict", what, name, *path, next=_TEXT_MODE)
            return


def no_begun_answer(facts: CellFacts) -> Iterator[Problem]:
    """A reply that the prompt begins is no JSON of its own; models that refuse this anyway are another rule's."""
    messages, model = _value(facts, "messages"), facts.literal("model")
    rules = rule_for(model) if isinstance(model, str) else None
    last = messages[-1] if isinstance(messages, list) and messages else None
    begun = isinstance(last, Mapping) and last.get("role") == "assistant"
    if begun and _native(facts) and rules is not None and rules.prefill:
        what = "the API refuses a reply that is begun beside a schema that it has to enforce"
        yield facts.report("output-conflict", what, "messages", len(messages) - 1, next="end with a user message")


def room_for_an_answer(facts: CellFacts) -> Iterator[Problem]:
    if _native(facts) and facts.literal("max_tokens") == 0:
        what = "`max_tokens: 0` leaves no room for the output, and the API refuses both together"
        yield facts.report("output-conflict", what, "max_tokens", next="raise `max_tokens`")


def half_an_answer(facts: CellFacts) -> Iterator[Problem]:
    output = _output(facts)
    if output is not None and output.on_truncated == "accept":
        what = "a reply that was cut off does not fit a schema, so accepting it means nothing"
        step = "write `on_truncated: double`, or raise `max_tokens`"
        yield facts.report("output-conflict", what, "output", "on_truncated", next=step)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    model_enforces,
    no_second_format,
    no_citations,
    no_begun_answer,
    room_for_an_answer,
    half_an_answer,
)


def _output(facts: CellFacts) -> OutputSpec | None:
    output = _value(facts, "output")
    return output if isinstance(output, OutputSpec) and output.schema is not None else None


def _native(facts: CellFacts) -> bool:
    output = _output(facts)
    return output is not None and output.mode == "native"


def _value(facts: CellFacts, name: str) -> Any:
    return facts.fields[name].value if name in facts.fields else None


def _cited(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where citations are turned on: `citations: true`, or the API's `citations: {enabled: true}`."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _cited(item, (*at, i))
    elif isinstance(value, Mapping):
        cited = value.get("citations")
        if cited is True or (isinstance(cited, Mapping) and cited.get("enabled") is True):
            yield (*at, "citations")
        for name, item in value.items():
            yield from _cited(item, (*at, name))
