"""A request's reply: a Message as JSON, a pure function of the request.

The text starts with `[model]`, quotes the beginning of the last user message, and goes on with sentences chosen by
a hash of the whole body, so that a test sees which prompt arrived. Where the prompt offers a choice ("answer with
one of: bug, praise") the reply is one of the words; where `output_config.format` is given it is JSON that fits;
`tool_calls` says when tools are used, `citations` what is cited. Shapes: `types/message.py` and `types/usage.py` of SDK
2.12.0 and their beta twins. Context edits other than compaction are never applied. See `markers` for other outcomes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from runner.simulator import compaction, tool_calls
from runner.simulator.asked import Asked, canonical, read
from runner.simulator.citations import cited
from runner.simulator.markers import number
from runner.simulator.texts import answer_text, ended, thinking, thinking_block
from runner.simulator.tokens import text_tokens

__all__ = ["Asked", "canonical", "entry", "read", "refusal", "reply"]
CATEGORIES = ("cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms")


@dataclass
class Draft:
    """A reply as it grows. left: of max_tokens. used, thought: output tokens so far, all and of the thinking."""

    left: int
    content: list[dict[str, Any]] = field(default_factory=list)
    used: int = 0
    thought: int = 0
    stop: tuple[str, str | None] = ("end_turn", None)

    def add(self, blocks: list[dict[str, Any]], tokens: int) -> None:
        self.content += blocks
        self.used += tokens
        self.left -= tokens


def reply(asked: Asked) -> dict[str, Any]:
    """The Message that answers the request."""
    if asked.body.get("compaction"):
        return _summary(asked, compaction.block(asked, signed=True))
    edit = compaction.wanted_edit(asked)
    if edit is None:
        return _turn(asked)
    summary = compaction.block(asked, signed=False)
    if edit.get("pause_after_compaction"):
        return _summary(asked, summary)
    message = _turn(asked)
    message["content"].insert(0, summary)
    usage = _usage(asked, message["usage"]["output_tokens"], message["usage"]["output_tokens_details"])
    usage |= {**_no_cache(), "input_tokens": compaction.left_tokens(asked, summary)}
    message["usage"] = {**usage, "server_tool_use": message["usage"]["server_tool_use"]}
    message["usage"]["iterations"] = [compaction.iteration(asked, summary), entry("message", message)]
    return message


def _turn(asked: Asked) -> dict[str, Any]:
    rng = random.Random(asked.seed)  # noqa: S311 - replies, not secrets
    draft = Draft(asked.body["max_tokens"])
    _think(asked, draft)
    _use_server_tools(asked, draft)
    if not (_pause(asked, draft) or _call_tool(asked, draft, rng)):
        _speak(asked, draft, rng)
    return _message(asked, draft)


def _think(asked: Asked, draft: Draft) -> None:
    thought = thinking(asked, draft.left)
    if thought is not None:
        draft.thought = text_tokens(thought)
        draft.add([thinking_block(asked, thought)], draft.thought)


def _use_server_tools(asked: Asked, draft: Draft) -> None:
    """Only as far as max_tokens reach."""
    blocks = tool_calls.continued(asked) or tool_calls.server_steps(asked)
    tokens = tool_calls.output_tokens(blocks)
    if tokens < draft.left:
        draft.add(blocks, tokens)


def _pause(asked: Asked, draft: Draft) -> bool:
    """Whether the turn is paused here: as often as the marker `pause=N` says, always with `stop=pause_turn`."""
    times = float("inf") if asked.markers.get("stop") == "pause_turn" else 0.0
    if "pause" in asked.markers:
        times = number(asked.markers["pause"]) or 1
    if draft.left <= 0 or tool_calls.paused_turns(asked.body) >= times:
        return False
    call = tool_calls.open_call(asked)
    draft.add([call], min(draft.left, tool_calls.output_tokens([call])))
    draft.stop = ("pause_turn", None)
    return True


def _call_tool(asked: Asked, draft: Draft, rng: random.Random) -> bool:
    call = tool_calls.client_call(asked, rng) if draft.left > 0 else None
    if call is None:
        return False
    draft.add([call], min(draft.left, tool_calls.output_tokens([call])))
    draft.stop = ("tool_use", None)
    return True


def _speak(asked: Asked, draft: Draft, rng: random.Random) -> None:
    """The text, and beside it a second one that cites, where something may be cited and max_tokens allow it."""
    text, stop, sequence = ended(asked, answer_text(asked, rng), draft.left)
    draft.stop = (stop, sequence)
    if text:
        draft.add([{"type": "text", "text": text, "citations": None}], text_tokens(text))
    citation = cited(asked.body, _web_results(draft.content)) if stop == "end_turn" and text else None
    if citation is None:
        return
    quote = f" {citation['cited_text'].strip()}"
    if not text.startswith(f"[{asked.model}]"):  # an exact text or a label: nothing is added to it
        draft.content[-1]["citations"] = [citation]
    elif text_tokens(quote) <= draft.left:
        draft.add([{"type": "text", "text": quote, "citations": [citation]}], text_tokens(quote))


def _web_results(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [result for block in content if block["type"] == "web_search_tool_result" for result in block["content"]]


def refusal(asked: Asked) -> dict[str, Any]:
    """A refusal without output, which costs nothing.

    A 200: https://platform.claude.com/docs/en/test-and-evaluate/strengthen-guardrails/handle-streaming-refusals
    """
    message = _message(asked, Draft(0, stop=("refusal", None)))
    message["stop_details"] = {
        "type": "refusal",
        "category": category(asked),
        "explanation": "The simulator was asked to refuse this request.",
    }
    return message


def category(asked: Asked) -> str:
    """Of a refusal; the marker `category=bio` chooses it."""
    wanted = asked.markers.get("category", "")
    return wanted if wanted in CATEGORIES else "general_harms"


def _summary(asked: Asked, summary: dict[str, Any]) -> dict[str, Any]:
    """A compaction block alone."""
    message = _message(asked, Draft(0, content=[summary], stop=("compaction", None)))
    message["usage"] |= {**_no_cache(), "input_tokens": 0}
    message["usage"]["iterations"] = [compaction.iteration(asked, summary)]
    return message


def _message(asked: Asked, draft: Draft) -> dict[str, Any]:
    usage = _usage(asked, draft.used, {"thinking_tokens": draft.thought})
    message = {
        "id": f"msg_sim_{asked.hash[:24]}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": draft.content,
        "stop_reason": draft.stop[0],
        "stop_sequence": draft.stop[1],
        "stop_details": None,
        "container": tool_calls.container(asked),
        "diagnostics": None,
        "usage": usage | {"server_tool_use": tool_calls.usage_of(draft.content)},
    }
    if asked.body.get("context_management") is not None:
        message["context_management"] = {"applied_edits": []}
    return message


def _usage(asked: Asked, output: int, details: dict[str, int]) -> dict[str, Any]:
    cache = asked.cache
    return {
        "input_tokens": asked.input_tokens - cache.read - cache.written,
        "cache_creation_input_tokens": cache.written,
        "cache_read_input_tokens": cache.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache.written_5m,
            "ephemeral_1h_input_tokens": cache.written_1h,
        },
        "output_tokens": output,
        "output_tokens_details": details,
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": asked.body.get("inference_geo") or "global",
        "speed": asked.body.get("speed"),
    }


def _no_cache() -> dict[str, Any]:
    return {
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    }


def entry(kind: str, message: dict[str, Any]) -> dict[str, Any]:
    """An entry of `usage.iterations` for what this message cost: `types/beta/beta_message_iteration_usage.py`."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation",
             "output_tokens")  # fmt: skip
    return {"type": kind, "model": message["model"], **{name: message["usage"][name] for name in names}}
