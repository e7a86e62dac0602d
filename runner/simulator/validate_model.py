"""Checks what depends on the model: output limit, thinking, effort, prefill, sampling, forced tools, system turns.

Rules: https://platform.claude.com/docs/en/build-with-claude/thinking, /effort,
/docs/en/api/errors#prefill-not-supported and the what's-new pages of Opus 5.5 and Sonnet 5.5. (seen) marks wordings
quoted from real replies; the others are guesses. A model that is not in the catalogue is held to none of these."""

from __future__ import annotations

from typing import Any

from runner.simulator.catalog import Model
from runner.simulator.errors import Rejected

PAUSED = ("server_tool_use", "mcp_tool_use")
SAMPLING = ("temperature", "top_p", "top_k")
DISABLED_EFFORTS = ("low", "medium", "high")
BUDGET_TOO_LARGE = (
    "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
    "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size"
)


def check_for_model(body: dict[str, Any], model: Model | None, *, counting: bool) -> None:
    """counting: for count_tokens, which knows no max_tokens and lets a conversation end with anybody."""
    if not counting:
        _check_budget(body)
        _check_empty_output(body)
    if model is None:
        return
    if not counting:
        _check_output(body, model)
        _check_last_role(body["messages"], model)
    if not model.system_turns and any(message["role"] == "system" for message in body["messages"]):  # (seen)
        raise Rejected("role 'system' is not supported on this model")
    if body.get("speed") == "fast" and not model.fast:
        raise Rejected(f"'{model.id}' does not support the `speed` parameter.")
    if body.get("inference_geo") is not None and not model.geo:  # a 400 by /docs/en/manage-claude/data-residency
        raise Rejected(f"'{model.id}' does not support the `inference_geo` parameter.")
    if "thinking" in body:
        _check_thinking(body, model)
    if (effort := _effort(body)) is not None:
        _check_effort(effort, model)
    if "tool_choice" in body:
        _check_tool_choice(body, model)


def _effort(body: dict[str, Any]) -> str | None:
    effort: str | None = body.get("output_config", {}).get("effort")
    return effort


def _check_budget(body: dict[str, Any]) -> None:
    budget = body.get("thinking", {}).get("budget_tokens")
    if budget is not None and budget >= body["max_tokens"]:  # (seen)
        raise Rejected(BUDGET_TOO_LARGE)


def _check_empty_output(body: dict[str, Any]) -> None:
    """max_tokens 0 only fills the cache (https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pre-warming-the-cache)."""
    if body["max_tokens"] != 0:
        return
    if body.get("stream"):
        raise Rejected("max_tokens: 0 is not supported with `stream`")
    if body.get("output_config", {}).get("format") is not None:
        raise Rejected("max_tokens: 0 is not supported with `output_config.format`")
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        raise Rejected("max_tokens: 0 is not supported with a `tool_choice` that forces tool use")


def _check_output(body: dict[str, Any], model: Model) -> None:
    asked = body["max_tokens"]
    if asked > model.max_tokens:  # (seen)
        raise Rejected(
            f"max_tokens: {asked} > {model.max_tokens}, which is the maximum allowed number of output tokens for "
            f"{model.id}"
        )
    if not model.sampling:
        for name in SAMPLING:
            if name in body:  # (seen)
                raise Rejected(f"`{name}` is deprecated for this model.")


def _check_last_role(messages: list[dict[str, Any]], model: Model) -> None:
    last = messages[-1]
    if last["role"] != "assistant":
        return
    if _goes_on(last["content"]):
        return
    if not model.prefill:  # (seen)
        raise Rejected(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    content = last["content"]
    text = content if isinstance(content, str) else (content[-1].get("text", "") if content else "")
    if isinstance(text, str) and text != text.rstrip():  # (seen)
        raise Rejected("messages: final assistant content cannot end with trailing whitespace")


def _goes_on(content: Any) -> bool:
    """A paused turn or a compaction that is sent back to be carried on; no prefill (a guess at how the API tells)."""
    if isinstance(content, str) or not content:
        return False
    return content[-1]["type"] == "compaction" or any(block["type"] in PAUSED for block in content)


def _check_thinking(body: dict[str, Any], model: Model) -> None:
    kind = body["thinking"]["type"]
    if kind not in model.thinking:
        raise Rejected(_no_such_thinking(kind, model))
    effort = _effort(body)
    if effort in (None, *DISABLED_EFFORTS):
        return
    if kind == "between_tools" or (kind == "disabled" and model.id == "claude-opus-5"):
        raise Rejected(f"\"thinking.type.{kind}\" is not supported with effort level '{effort}' on this model.")


def _no_such_thinking(kind: str, model: Model) -> str:
    if kind == "adaptive":  # (seen)
        return "adaptive thinking is not supported on this model"
    if kind == "enabled":  # (seen)
        return (
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    instead = "between_tools" if "between_tools" in model.thinking else model.thinking[0]
    return f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.{instead}".'


def _check_effort(effort: str, model: Model) -> None:
    if not model.effort:  # (seen)
        raise Rejected("This model does not support the effort parameter.")
    if effort not in model.effort:
        levels = ", ".join(sorted(model.effort))
        raise Rejected(f"This model does not support effort level '{effort}'. Supported levels: {levels}.")


def _check_tool_choice(body: dict[str, Any], model: Model) -> None:
    kind = body["tool_choice"]["type"]
    if kind not in ("any", "tool"):
        return
    if not model.forced_tools:
        raise Rejected(f'tool_choice: type "{kind}" is not supported on this model. Use "auto".')
    if body.get("thinking", {}).get("type") == "enabled":  # (seen)
        raise Rejected("Thinking may not be enabled when tool_choice forces tool use.")
