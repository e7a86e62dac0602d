"""What the simulator knows of Claude models: its own copy, so that a wrong rule elsewhere cannot pass twice.

Ids: `types/model.py` of SDK 2.12.0. Thinking, effort and output limits:
https://platform.claude.com/docs/en/about-claude/models/overview, /docs/en/build-with-claude/effort,
/docs/en/build-with-claude/thinking, and the what's-new page of each model. Guesses: release dates, the context
windows, and the largest output of models after 4.8. An id that starts with `claude-` but is not listed is served
with the newest rules left open; any other id is a 404."""

from __future__ import annotations

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

    @property
    def line(self) -> str:
        return self.id.split("-")[1]


def _older(id: str, name: str, created: str, effort: tuple[str, ...] = NO_EFFORT, retires: str | None = None) -> Model:
    """A model of the 4.5 generation."""
    return Model(
        id, name, created, 64_000, 200_000, effort, ("enabled", "disabled"), prefill=True, sampling=True,
        system_turns=False, retires=retires,
    )  # fmt: skip


def _four_six(id: str, name: str, created: str) -> Model:
    types = ("adaptive", "enabled", "disabled")
    return Model(id, name, created, effort=FOUR_EFFORTS, thinking=types, sampling=True, system_turns=False)


_ADAPTIVE = ("adaptive",)
MODELS = (
    Model("claude-fable-5-2", "Claude Fable 5.2", "2026-11-10", thinking=_ADAPTIVE, forced_tools=False),
    Model("claude-mythos-5-2", "Claude Mythos 5.2", "2026-11-10", thinking=_ADAPTIVE),
    Model("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-15"),
    Model(
        "claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-09-28", thinking=("adaptive", "between_tools"),
        forced_tools=False,
    ),
    Model("claude-fable-5-1", "Claude Fable 5.1", "2026-09-01", thinking=_ADAPTIVE, forced_tools=False),
    Model("claude-opus-5-5", "Claude Opus 5.5", "2026-08-25", thinking=_ADAPTIVE, forced_tools=False),
    Model("claude-mythos-5-1", "Claude Mythos 5.1", "2026-08-20", thinking=_ADAPTIVE),
    Model("claude-sonnet-5", "Claude Sonnet 5", "2026-06-30"),
    Model("claude-fable-5", "Claude Fable 5", "2026-06-09", thinking=_ADAPTIVE),
    Model("claude-mythos-5", "Claude Mythos 5", "2026-06-09", thinking=_ADAPTIVE),
    Model("claude-opus-5", "Claude Opus 5", "2026-07-28"),
    Model("claude-opus-4-8", "Claude Opus 4.8", "2026-05-28"),
    Model("claude-opus-4-7", "Claude Opus 4.7", "2026-04-16", system_turns=False),
    Model("claude-mythos-preview", "Claude Mythos Preview", "2026-04-07", thinking=_ADAPTIVE, system_turns=False),
    _four_six("claude-opus-4-6", "Claude Opus 4.6", "2026-02-05"),
    _four_six("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17"),
    _older("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-15"),
    _older("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15"),
    _older("claude-opus-4-5", "Claude Opus 4.5", "2025-11-24", THREE_EFFORTS),
    _older("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-24", THREE_EFFORTS),
    _older("claude-sonnet-4-5", "Claude Sonnet 4.5", "2025-09-29", retires="2026-11-30"),
    _older("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29", retires="2026-11-30"),
)  # fmt: skip

_BY_ID = {model.id: model for model in MODELS}


def find_model(id: str) -> Model | None:
    """The listed model with this id."""
    return _BY_ID.get(id)


def served(id: str) -> bool:
    return id.startswith("claude-")


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
