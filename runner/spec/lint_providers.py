"""Rules about what a provider lacks, by the table of `models/providers.py`: an error now, not a surprise later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from runner.errors import Problem
from runner.models.providers import PROVIDERS
from runner.spec.gather import problem_at
from runner.spec.lint_facts import CellFacts


def provider_has_automatic_caching(facts: CellFacts) -> Iterator[Problem]:
    step = _instead(facts, "cache_automatic")
    if step and facts.cache.mode == "automatic":
        what = f"{_title(facts)} does not take `cache_control` for the whole request, which `cache: automatic` sends"
        yield problem_at(facts.doc, "provider-lacks", what, ("cache",), next=step)


SOURCES: Final = {
    "upload": "has no Files API",
    "file_id": "has no Files API",
    "url": "fetches nothing from a URL",
}
"""What a provider without the feature does not do."""


def provider_has_files(facts: CellFacts) -> Iterator[Problem]:
    for name in ("attachments", "messages"):
        value = facts.fields[name].value if name in facts.fields else None
        for path, item in _maps(value, ()):
            for key, lacks in SOURCES.items():
                step = _instead(facts, key)
                if step and item.get(key):
                    yield facts.report("provider-lacks", f"{_title(facts)} {lacks}", name, *path, key, next=step)


def provider_has_default_fallbacks(facts: CellFacts) -> Iterator[Problem]:
    step = _instead(facts, "fallbacks_default")
    if step and facts.literal("fallbacks") == "default":
        what = f"only the Claude API chooses fallbacks by itself; on {_title(facts)} they are carried out by promptrun"
        yield facts.report("provider-lacks", what, "fallbacks", next=step)


def provider_has_speed_and_region(facts: CellFacts) -> Iterator[Problem]:
    for name, lacks in (("speed", "fast mode"), ("inference_geo", "`inference_geo`")):
        step = _instead(facts, name)
        asked = facts.literal(name)
        if step and asked is not None and asked != "standard":
            yield facts.report("provider-lacks", f"{_title(facts)} has no {lacks}", name, next=step)


def provider_has_tools(facts: CellFacts) -> Iterator[Problem]:
    tools = facts.literal("tools")
    for i, tool in enumerate(tools if isinstance(tools, list) else ()):
        kind = str(tool.get("type", ""))
        if kind.startswith(PROVIDERS[facts.client.provider].no_tools):
            step = "remove it, or ask the Claude API"
            yield facts.report("provider-lacks", f"{_title(facts)} has no tool `{kind}`", "tools", i, next=step)


def provider_has_services(facts: CellFacts) -> Iterator[Problem]:
    for name, lacks in (("mcp_servers", "connects to no MCP servers"), ("container", "has no containers and skills")):
        step = _instead(facts, name)
        if step and name in facts.fields:
            yield facts.report("provider-lacks", f"{_title(facts)} {lacks}", name, next=step)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    provider_has_automatic_caching,
    provider_has_files,
    provider_has_default_fallbacks,
    provider_has_speed_and_region,
    provider_has_tools,
    provider_has_services,
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
