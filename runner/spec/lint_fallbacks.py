"""Rules about `fallbacks`: the list itself, and the request as every model in it would get it.

API facts: https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback and the comments in
`types/beta/beta_fallback_param.py` of SDK 2.12.0: what an entry does not say is adapted to its model where it can be
(thinking, effort, speed), and must fit it where it cannot (max_tokens, the conversation, the tools).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from runner.errors import Problem
from runner.models.rules import family, rule_for
from runner.spec import lint_conversation, lint_models, lint_services, lint_tools
from runner.spec.fields import Field
from runner.spec.lint_facts import CellFacts, is_literal

MOST: Final = 3
_ADAPTED: Final = ("thinking", "effort", "speed", "fallbacks")
_OLD_BETA: Final = "server-side-fallback-2026-06-01"
_ONCE_MORE: Final = (
    lint_models.model_known,
    lint_models.model_not_retired,
    lint_models.max_tokens_within_model,
    lint_models.thinking_budget,
    lint_models.thinking_accepted,
    lint_models.effort_accepted,
    lint_conversation.no_prefill,
    lint_tools.forced_tools_accepted,
    lint_services.region_accepted,
    lint_services.speed_accepted,
    lint_services.system_turns_accepted,
)


def fallbacks_are_a_chain(facts: CellFacts) -> Iterator[Problem]:
    """At most three models, each once, none of them the model itself, and a model that has fallbacks."""
    entries, model = _entries(facts), facts.literal("model")
    if len(entries) > MOST:
        what = f"there are {len(entries)} fallbacks, and the API takes {MOST}"
        yield facts.report("fallback-refused", what, "fallbacks", MOST, next="keep the first three")
    if entries and isinstance(model, str) and (rules := rule_for(model)) and rules.fallbacks is False:
        what = f"`{model}` has no fallbacks: it does not decline requests the way newer models do"
        yield facts.report("fallback-refused", what, "fallbacks", next="remove them")
    seen = {family(model): "the model itself"} if isinstance(model, str) else {}
    for i, entry in enumerate(entries):
        name = entry["model"]
        if not isinstance(name, str):
            continue
        if family(name) in seen:
            what = f"the fallback `{name}` is {seen[family(name)]}"
            yield facts.report("fallback-refused", what, "fallbacks", i, next="remove it")
        seen.setdefault(family(name), "there twice")


def default_needs_its_beta(facts: CellFacts) -> Iterator[Problem]:
    betas = facts.literal("betas")
    if facts.literal("fallbacks") == "default" and isinstance(betas, list) and _OLD_BETA in betas:
        what = f"`{_OLD_BETA}` takes a list of fallbacks only, not `default`"
        yield facts.report("fallback-refused", what, "betas", betas.index(_OLD_BETA), next="remove it")


def request_fits_fallbacks(facts: CellFacts) -> Iterator[Problem]:
    """Every rule about models, asked once more for each fallback; what it finds stands at the fallback."""
    for i, entry in enumerate(_entries(facts)):
        if not isinstance(entry["model"], str):
            continue
        for problem in _problems_with(facts, entry):
            rule = problem.rule if problem.severity == "warning" else "fallback-refused"
            what = f"as a fallback: {problem.what}"
            yield facts.report(rule, what, "fallbacks", i, next=problem.next, severity=problem.severity)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    fallbacks_are_a_chain,
    default_needs_its_beta,
    request_fits_fallbacks,
)


def _entries(facts: CellFacts) -> list[Mapping[str, Any]]:
    value = facts.fields["fallbacks"].value if "fallbacks" in facts.fields else None
    return value if isinstance(value, list) else []


def _problems_with(facts: CellFacts, entry: Mapping[str, Any]) -> Iterator[Problem]:
    path = facts.fields["fallbacks"].path
    kept = {name: one for name, one in facts.fields.items() if name not in _ADAPTED}
    patch = {name: value for name, value in entry.items() if name != "output_config" and is_literal(value)}
    config = entry.get("output_config")
    if isinstance(config, Mapping) and is_literal(config.get("effort")) and config.get("effort") is not None:
        patch["effort"] = config["effort"]
    fields = {**kept, **{name: Field(value, path) for name, value in patch.items()}}
    seen_as_fallback = replace(facts, fields=fields)
    for rule in _ONCE_MORE:
        yield from rule(seen_as_fallback)
