"""Rules about what a provider lacks, by the table of `models/providers.py`: an error now, not a surprise later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.errors import Problem
from runner.models.providers import PROVIDERS
from runner.spec.gather import problem_at
from runner.spec.lint_facts import CellFacts


def provider_has_automatic_caching(facts: CellFacts) -> Iterator[Problem]:
    step = _instead(facts, "cache_automatic")
    if step and facts.cache.mode == "automatic":
        what = f"{_title(facts)} does not take `cache_control` for the whole request, which `cache: automatic` sends"
        yield problem_at(facts.doc, "provider-lacks", what, ("cache",), next=step)


def provider_has_files(facts: CellFacts) -> Iterator[Problem]:
    for name in ("attachments", "messages"):
        value = facts.fields[name].value if name in facts.fields else None
        for path, item in _maps(value, ()):
            for key in ("upload", "file_id"):
                step = _instead(facts, key)
                if step and item.get(key):
                    what = f"{_title(facts)} has no Files API"
                    yield facts.report("provider-lacks", what, name, *path, key, next=step)


def provider_has_default_fallbacks(facts: CellFacts) -> Iterator[Problem]:
    step = _instead(facts, "fallbacks_default")
    if step and facts.literal("fallbacks") == "default":
        what = f"only the Claude API chooses fallbacks by itself; on {_title(facts)} they are carried out by promptrun"
        yield facts.report("provider-lacks", what, "fallbacks", next=step)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    provider_has_automatic_caching,
    provider_has_files,
    provider_has_default_fallbacks,
)


def _title(facts: CellFacts) -> str:
    return PROVIDERS[facts.client.provider].title


def _instead(facts: CellFacts, feature: str) -> str | None:
    """What to do instead; None when the provider has it."""
    return PROVIDERS[facts.client.provider].lacks.get(feature)


def _maps(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    """Every map inside a field, with its place."""
    if isinstance(value, Mapping):
        yield path, value
    steps = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        yield from _maps(item, (*path, step))
