"""What the simulator knows of Claude models: its own copy, so that a wrong rule elsewhere cannot pass twice.

Ids: `types/model.py` of SDK 2.12.0. Thinking, effort and output limits:
https://platform.claude.com/docs/en/about-claude/models/overview, /docs/en/build-with-claude/effort,
/docs/en/build-with-claude/thinking, and the what's-new page of each model; cacheable prefixes:
/docs/en/build-with-claude/prompt-caching#cache-limitations. Guesses: release dates, the context windows, the largest
output of models after 4.8, and the cacheable prefix of the 5.5 models, Fable 5.2, the later Mythos and unlisted ones.
An id that starts with `claude-` but is not listed is served with the newest rules left open; any other id is a 404."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

NO_EFFORT: tuple[str, ...] = ()
THREE_EFFORTS = ("low", "medium", "high")
FOUR_EFFORTS = (*THREE_EFFORTS, "max")
FIVE_EFFORTS = (*THREE_EFFORTS, "xhigh", "max")


@dataclass(frozen=True)
class Model:
    """One model. thinking: the accepted `thinking.type`s. sampling: whether old API versions may send temperature.

    forced_tools: whether tool_choice may be `any` or `tool`. system_turns: whether messages may have the role system.
    least_cached: the shortest prefix in tokens that is cached. declines: whether it has refusal fallbacks.
    compacts: whether it supports both forms of compaction. fast: whether it has the speed `fast`, and
    whether only with a beta. geo: whether it takes `inference_geo`.
    """

    id: str
    name: str
    created: str
    max_tokens: int = 128_000
    context: int = 1_000_000
    effort: tuple[str, ...] = FIVE_EFFORTS
    thinking: tuple[str, ...] = ("adaptive", "disabled")
    prefill: bool = False
    sampling: bool = False
    forced_tools: bool = True
    system_turns: bool = True
    retires: str | None = None
    least_cached: int = 1024
    declines: bool = False
    compacts: bool = True
    fast: bool = False
    fast_beta: bool = False
    geo: bool = True

    @property
    def line(self) -> str:
        return self.id.split("-")[1]


def _older(
    id: str, name: str, created: str, effort: tuple[str, ...] = NO_EFFORT, retires: str | None = None, least: int = 4096
) -> Model:
    """A model of the 4.5 generation."""
    return Model(
        id, name, created, 64_000, 200_000, effort, ("enabled", "disabled"), prefill=True, sampling=True,
        system_turns=False, retires=retires, least_cached=least, compacts=False, geo=False,
    )  # fmt: skip


def _four_six(id: str, name: str, created: str, least: int) -> Model:
    types = ("adaptive", "enabled", "disabled")
    return Model(
        id, name, created, effort=FOUR_EFFORTS, thinking=types, sampling=True, system_turns=False, least_cached=least
    )


_ADAPTIVE = ("adaptive",)
MODELS = (
    Model(
        "claude-fable-5-2", "Claude Fable 5.2", "2026-11-10", thinking=_ADAPTIVE, forced_tools=False, declines=True,
        fast=True,
    ),
    Model("claude-mythos-5-2", "Claude Mythos 5.2", "2026-11-10", thinking=_ADAPTIVE, declines=True, fast=True),
    Model("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-15", declines=True),
    Model(
        "claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-09-28", thinking=("adaptive", "between_tools"),
        forced_tools=False, declines=True,
    ),
    Model(
        "claude-fable-5-1", "Claude Fable 5.1", "2026-09-01", thinking=_ADAPTIVE, forced_tools=False,
        least_cached=512, declines=True,
    ),
    Model(
        "claude-opus-5-5", "Claude Opus 5.5", "2026-08-25", thinking=_ADAPTIVE, forced_tools=False, declines=True,
        fast=True,
    ),
    Model("claude-mythos-5-1", "Claude Mythos 5.1", "2026-08-20", thinking=_ADAPTIVE, least_cached=512, declines=True),
    Model("claude-sonnet-5", "Claude Sonnet 5", "2026-06-30"),
    Model("claude-fable-5", "Claude Fable 5", "2026-06-09", thinking=_ADAPTIVE, least_cached=512, declines=True),
    Model("claude-mythos-5", "Claude Mythos 5", "2026-06-09", thinking=_ADAPTIVE, least_cached=512, declines=True),
    Model("claude-opus-5", "Claude Opus 5", "2026-07-28", least_cached=512, declines=True, fast=True, fast_beta=True),
    Model("claude-opus-4-8", "Claude Opus 4.8", "2026-05-28", fast=True, fast_beta=True),
    Model("claude-opus-4-7", "Claude Opus 4.7", "2026-04-16", system_turns=False, least_cached=2048),
    Model(
        "claude-mythos-preview", "Claude Mythos Preview", "2026-04-07", thinking=_ADAPTIVE, system_turns=False,
        least_cached=2048,
    ),
    _four_six("claude-opus-4-6", "Claude Opus 4.6", "2026-02-05", 4096),
    _four_six("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17", 1024),
    _older("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-15"),
    _older("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15"),
    _older("claude-opus-4-5", "Claude Opus 4.5", "2025-11-24", THREE_EFFORTS),
    _older("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-24", THREE_EFFORTS),
    _older("claude-sonnet-4-5", "Claude Sonnet 4.5", "2025-09-29", retires="2026-11-30", least=1024),
    _older("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29", retires="2026-11-30", least=1024),
)  # fmt: skip

FALLBACK_TARGETS = (
    "claude-opus-4-8", "claude-opus-5", "claude-opus-5-5", "claude-sonnet-5", "claude-sonnet-5-5", "claude-haiku-5-5",
    "claude-opus-4-7", "claude-opus-4-6", "claude-sonnet-4-6",
)  # fmt: skip
_BY_ID = {model.id: model for model in MODELS}
_BEDROCK = re.compile(r"^(?:[a-z-]+\.)?anthropic\.(claude-.+?)(?:-v\d+(?::\d+)?)?$")


def find_model(id: str) -> Model | None:
    """The listed model with this id."""
    return _BY_ID.get(id)


def allowed_fallbacks(id: str) -> tuple[str, ...]:
    """The models this one may hand a declined request to; the first is its default.

    That Fable, Mythos, Opus 5 and the 5.5 models decline follows public reports; the targets are a guess.
    """
    model = _BY_ID.get(id)
    if model is None or not model.declines:
        return ()
    return tuple(target for target in FALLBACK_TARGETS if target != id)


def least_cached(id: str) -> int:
    """The shortest prefix in tokens that this model caches."""
    model = _BY_ID.get(id)
    return model.least_cached if model else 1024


def served(id: str) -> bool:
    return id.startswith("claude-")


def use_own_ids(body: dict[str, Any]) -> None:
    """Put the Claude API's ids in place of Amazon Bedrock's, such as `eu.anthropic.claude-opus-4-6-v1:0`."""
    chain = body.get("fallbacks")
    for asked in (body, *(chain if isinstance(chain, list) else ())):
        if isinstance(asked, dict) and isinstance(asked.get("model"), str):
            asked["model"] = _BEDROCK.sub(r"\1", asked["model"])


def _supported(answer: bool) -> dict[str, bool]:
    return {"supported": answer}


def model_info(model: Model) -> dict[str, Any]:
    """The model as GET /v1/models/{id} shows it: `types/model_info.py` of SDK 2.12.0."""
    yes = _supported(True)
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": f"{model.created}T00:00:00Z",
        "lifecycle": "deprecated" if model.retires else "active",
        "deprecated_at": "2026-08-31T00:00:00Z" if model.retires else None,
        "retires_at": f"{model.retires}T00:00:00Z" if model.retires else None,
        "line": model.line,
        "max_input_tokens": model.context,
        "max_tokens": model.max_tokens,
        "capabilities": {
            "batch": yes,
            "citations": yes,
            "code_execution": yes,
            "context_management": {"supported": True},
            "effort": _effort(model),
            "image_input": yes,
            "pdf_input": yes,
            "server_tools": {"supported": True, "code_execution": yes, "web_search": yes},
            "structured_outputs": yes,
            "thinking": _thinking(model),
        },
        **({"allowed_fallback_models": list(allowed_fallbacks(model.id))} if model.declines else {}),
    }


def _effort(model: Model) -> dict[str, Any]:
    levels = {level: _supported(level in model.effort) for level in FIVE_EFFORTS}
    return {"supported": bool(model.effort), **levels}


def _thinking(model: Model) -> dict[str, Any]:
    kinds = ("adaptive", "enabled", "disabled", "between_tools")
    return {"supported": True, "types": {kind: _supported(kind in model.thinking) for kind in kinds}}


def page(limit: int, after_id: str | None, before_id: str | None) -> dict[str, Any]:
    """One page of GET /v1/models; a cursor that names no model starts at the end it points from."""
    ids = [model.id for model in MODELS]
    first = ids.index(after_id) + 1 if after_id in ids else 0
    last = len(ids)
    more_before = False
    if before_id in ids:
        last = ids.index(before_id)
        first = max(0, last - limit)
        more_before = first > 0
    chosen = MODELS[first:last][:limit]
    return {
        "data": [model_info(model) for model in chosen],
        "has_more": more_before if before_id else first + len(chosen) < last,
        "first_id": chosen[0].id if chosen else None,
        "last_id": chosen[-1].id if chosen else None,
    }
