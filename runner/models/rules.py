"""What each Claude model accepts, read from `rules.toml`. Says facts only; whether one is a problem is lint's to say.

An unknown model has no rules (`None`), never an error: any id may be sent. Does no I/O but reading its data file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

_PROVIDER = re.compile(r"^(?:.*\banthropic[./])?")
_SUFFIX = re.compile(r"(?:[-@]latest|[-@]\d{8}|[-@]\d{4}-\d{2}-\d{2}|@default)?(?:-v\d+(?::\d+)?)?$")


@dataclass(frozen=True, slots=True)
class ModelRules:
    """Facts about one model family; None (or absence from both thinking lists) means not known.

    effort: the levels it takes, () when it takes none. thinking_*: values of `thinking.type`.
    thinking_off: the type that turns thinking off; off_efforts: at which efforts that is allowed, None for all.
    min_cache_prefix: tokens under which a prefix is silently not cached. forced_tools: `tool_choice` any or tool.
    max_output: the most `max_tokens` the synchronous API takes. us_multiplier: on price, for `inference_geo: us`.
    fallbacks: whether it can decline a request and hand it to another model. system_turns: system messages inside a
    conversation. fast: `speed: fast`, which needs a beta header where fast_beta. geo: `inference_geo`.
    structured_outputs: `output_config.format`.
    served_fallbacks: the API itself hands its declined requests over. context: the tokens of its window, input and
    output together.
    """

    id: str
    effort: tuple[str, ...] | None = None
    thinking_accepts: frozenset[str] = frozenset()
    thinking_refuses: frozenset[str] = frozenset()
    thinking_off: str = "disabled"
    off_efforts: tuple[str, ...] | None = None
    min_cache_prefix: int | None = None
    forced_tools: bool | None = None
    prefill: bool | None = None
    max_output: int | None = None
    retires: date | None = None
    us_multiplier: float = 1.0
    fallbacks: bool | None = None
    system_turns: bool | None = None
    fast: bool | None = None
    fast_beta: bool = False
    geo: bool | None = None
    structured_outputs: bool | None = None
    context: int | None = None
    served_fallbacks: bool = True


@lru_cache(maxsize=1024)
def family(model: str) -> str:
    """The id without provider, date and version: `us.anthropic.claude-opus-5-v1:0` → `claude-opus-5`."""
    return _SUFFIX.sub("", _PROVIDER.sub("", model.lower(), count=1))


def rule_for(model: str) -> ModelRules | None:
    """What is known of this model; dated ids and the forms of Bedrock and Vertex match their family."""
    return _rules().get(family(model))


def known_models() -> tuple[str, ...]:
    """Every family with rules, as ordered in the data file; for "did you mean"."""
    return tuple(_rules())


@cache
def _rules() -> Mapping[str, ModelRules]:
    text = Path(__file__).with_name("rules.toml").read_text(encoding="utf-8")
    return {id: _read_rules(id, entry) for id, entry in tomllib.loads(text)["models"].items()}


def _read_rules(id: str, entry: dict[str, Any]) -> ModelRules:
    thinking = entry.pop("thinking", {})
    effort = entry.pop("effort", None)
    off_efforts = thinking.get("off_efforts")
    return ModelRules(
        id=id,
        effort=None if effort is None else tuple(effort),
        thinking_accepts=frozenset(thinking.get("accepts", ())),
        thinking_refuses=frozenset(thinking.get("refuses", ())),
        thinking_off=thinking.get("off", "disabled"),
        off_efforts=None if off_efforts is None else tuple(off_efforts),
        **entry,
    )
