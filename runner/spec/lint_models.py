"""Rules about what a model accepts. The facts are `runner.models.rules`'; an unknown model is never an error.

API facts: https://platform.claude.com/docs/en/about-claude/models/overview
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from runner.errors import Problem
from runner.models.rules import ModelRules, known_models, rule_for
from runner.spec.lint_facts import CellFacts
from runner.spec.near import did_you_mean, listed

_NON_STREAMING_MAX: Final = 21_333  # above it the SDK refuses a call that does not stream (SDK 2.12.0 source)
_PRESENCE_UNKNOWN: Final = frozenset({"matrix", "model", "?"})
_RETIRES_SOON_DAYS: Final = 90


def model_named(facts: CellFacts) -> Iterator[Problem]:
    if "model" not in facts.fields and not _PRESENCE_UNKNOWN & set(facts.broken):
        step = "add one, for example `model: claude-opus-5-5`, or vary it in `matrix`"
        yield facts.report("missing-key", "`model` is missing", "model", next=step)


def model_known(facts: CellFacts) -> Iterator[Problem]:
    model = facts.literal("model")
    if isinstance(model, str) and _rules(facts) is None:
        what = f"`{model}` is not a model that promptrun knows; it is sent as it is"
        step = did_you_mean(
            model, known_models(), otherwise="check its spelling; its price and limits are not known either"
        )
        yield facts.report("unknown-model", what, "model", next=step, severity="warning")


def model_not_retired(facts: CellFacts) -> Iterator[Problem]:
    rules = _rules(facts)
    if rules is None or rules.retires is None or (rules.retires - facts.today).days > _RETIRES_SOON_DAYS:
        return
    verb = "retires" if rules.retires > facts.today else "was retired"
    what = f"`{facts.literal('model')}` {verb} on {rules.retires.isoformat()}; requests to it fail from then on"
    yield facts.report("model-retires", what, "model", next="move to a newer model", severity="warning")


def max_tokens_within_model(facts: CellFacts) -> Iterator[Problem]:
    rules, asked = _rules(facts), facts.literal("max_tokens")
    if rules is not None and rules.max_output is not None and isinstance(asked, int) and asked > rules.max_output:
        what = f"`{facts.literal('model')}` writes at most {rules.max_output:,} tokens, not {asked:,}"
        yield facts.report("max-tokens-refused", what, "max_tokens", next=f"write {rules.max_output} or less")


def long_replies_stream(facts: CellFacts) -> Iterator[Problem]:
    asked = facts.literal("max_tokens")
    if facts.stream is False and isinstance(asked, int) and asked > _NON_STREAMING_MAX:
        what = f"more than {_NON_STREAMING_MAX:,} tokens need streaming, and `run.stream` is false"
        yield facts.report("needs-stream", what, "max_tokens", next="remove `run.stream`, or lower `max_tokens`")


def thinking_budget(facts: CellFacts) -> Iterator[Problem]:
    """`budget_tokens` counts within `max_tokens`."""
    budget, most = _thinking(facts).get("budget_tokens"), facts.literal("max_tokens")
    if isinstance(budget, int) and isinstance(most, int) and budget >= most:
        what = f"thinking may take {budget:,} tokens, which leaves nothing of `max_tokens` ({most:,})"
        yield facts.report("thinking-budget", what, "thinking", "budget_tokens", next="raise `max_tokens` above it")


def thinking_accepted(facts: CellFacts) -> Iterator[Problem]:
    rules, kind = _rules(facts), _thinking(facts).get("type")
    if rules is None or not isinstance(kind, str):
        return
    if kind in rules.thinking_refuses:
        yield facts.report(
            "thinking-refused", _refuses_thinking(facts, kind), "thinking", next=_thinking_step(rules, kind)
        )
    effort = facts.literal("effort")
    if kind == "disabled" and rules.off_efforts is not None and effort is not None and effort not in rules.off_efforts:
        what = f"`{facts.literal('model')}` cannot leave thinking off at effort `{effort}`"
        yield facts.report(
            "thinking-refused", what, "thinking", next=f"use effort {listed(rules.off_efforts)}, or leave thinking on"
        )


def effort_accepted(facts: CellFacts) -> Iterator[Problem]:
    rules, effort = _rules(facts), facts.literal("effort")
    if rules is None or rules.effort is None or not isinstance(effort, str) or effort in rules.effort:
        return
    what = f"`{facts.literal('model')}` does not take effort `{effort}`"
    step = f"it takes {listed(rules.effort)}" if rules.effort else "remove it: this model has no effort setting"
    yield facts.report("effort-refused", what, "effort", next=step)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    model_named,
    model_known,
    model_not_retired,
    max_tokens_within_model,
    long_replies_stream,
    thinking_budget,
    thinking_accepted,
    effort_accepted,
)


def _rules(facts: CellFacts) -> ModelRules | None:
    model = facts.literal("model")
    return rule_for(model) if isinstance(model, str) else None


def _thinking(facts: CellFacts) -> dict[str, Any]:
    thinking = facts.literal("thinking")
    return thinking if isinstance(thinking, dict) else {}


def _refuses_thinking(facts: CellFacts, kind: str) -> str:
    meant = {"disabled": "thinking turned off", "enabled": "thinking with a fixed budget"}.get(
        kind, f"thinking `{kind}`"
    )
    return f"`{facts.literal('model')}` does not take {meant}"


def _thinking_step(rules: ModelRules, kind: str) -> str:
    if kind == "disabled" and rules.thinking_off != "disabled":
        return f"write `thinking: {rules.thinking_off}`"
    if kind == "disabled":
        return "remove `thinking`; this model always thinks, `effort: low` makes it short"
    accepted = sorted("off" if one == "disabled" else one for one in rules.thinking_accepts)
    return f"it takes {listed(accepted)}" if accepted else "remove `thinking`"
