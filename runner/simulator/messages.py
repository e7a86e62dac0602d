"""A request's reply: a Message as JSON, a pure function of the request's body.

The text starts with `[model]`, quotes the beginning of the last user message, and goes on with sentences chosen by
a hash of the whole body, so that a test sees which prompt arrived. Where the prompt offers a choice ("answer with
one of: bug, praise") the reply is one of the words; where `output_config.format` is given it is JSON that fits;
where tool_choice forces a tool it is a call of that tool. Shapes: `types/message.py` and `types/usage.py` of SDK
2.12.0. See `markers` for other outcomes."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

import orjson

from runner.simulator.choices import options
from runner.simulator.markers import content_text, last_user_text, markers, number
from runner.simulator.sample import sample
from runner.simulator.tokens import BYTES_PER_TOKEN, cut, input_tokens, text_tokens

ECHO_CHARACTERS = 200
MOST_TOKENS = 200_000
SENTENCES = (
    "The question is clear and can be answered from what was given.",
    "Two points stand out, and both lead to the same conclusion.",
    "Nothing in the text contradicts this reading.",
    "The first part matters more than the second.",
    "A shorter answer would lose the detail that decides it.",
    "The usual exception does not apply here.",
    "Taken together, that settles it.",
    "One more look at the middle section would be worthwhile.",
)
THINKING_TOKENS = {"low": 12, "medium": 24, "high": 48, "xhigh": 96, "max": 160}
LEAST_OUTPUT_FOR_THINKING = 64
"""Below this many max_tokens adaptive thinking decides not to think (a guess)."""


@dataclass(frozen=True)
class Asked:
    """A validated request with what its reply needs. seed: from the canonical body."""

    body: dict[str, Any]
    hash: str
    text: str
    markers: dict[str, str]
    input_tokens: int
    seed: int = field(repr=False, default=0)

    @property
    def model(self) -> str:
        model: str = self.body["model"]
        return model

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))


def canonical(body: dict[str, Any]) -> bytes:
    """The body as sorted JSON without `stream`, so that both ways of asking are answered alike."""
    return orjson.dumps({name: value for name, value in body.items() if name != "stream"}, option=orjson.OPT_SORT_KEYS)


def read(body: dict[str, Any]) -> Asked:
    """What a validated body asks."""
    digest = hashlib.sha256(canonical(body)).hexdigest()
    text = last_user_text(body)
    return Asked(body, digest, text, markers(text), input_tokens(body), int(digest[:16], 16))


def reply(asked: Asked) -> dict[str, Any]:
    """The Message that answers the request."""
    body = asked.body
    rng = random.Random(asked.seed)  # noqa: S311 - replies, not secrets
    left: int = body["max_tokens"]
    content: list[dict[str, Any]] = []
    thought = _thinking(asked, left)
    if thought is not None:
        content.append(_thinking_block(asked, thought))
        left -= (thinking_tokens := text_tokens(thought))
    else:
        thinking_tokens = 0
    tool = _forced_tool(body)
    if tool is not None and left > 0:
        content.append(_tool_block(asked, tool, rng))
        stop, sequence, used = "tool_use", None, min(left, text_tokens(repr(content[-1]["input"])))
    else:
        text, stop, sequence = _ended(asked, _text(asked, rng), left)
        used = text_tokens(text) if text else 0
        if text:
            content.append({"type": "text", "text": text, "citations": None})
    return _message(asked, content, (stop, sequence), thinking_tokens + used, thinking_tokens)


def refusal(asked: Asked) -> dict[str, Any]:
    """A refusal without output, which costs nothing.

    A 200: https://platform.claude.com/docs/en/test-and-evaluate/strengthen-guardrails/handle-streaming-refusals
    """
    message = _message(asked, [], ("refusal", None), 0, 0)
    message["stop_details"] = {
        "type": "refusal",
        "category": "general_harms",
        "explanation": "The simulator was asked to refuse this request.",
    }
    return message


def _message(
    asked: Asked, content: list[dict[str, Any]], stop: tuple[str, str | None], output: int, thinking: int
) -> dict[str, Any]:
    return {
        "id": f"msg_sim_{asked.hash[:24]}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": stop[0],
        "stop_sequence": stop[1],
        "stop_details": None,
        "container": None,
        "diagnostics": None,
        "usage": _usage(asked, output, thinking),
    }


def _usage(asked: Asked, output: int, thinking: int) -> dict[str, Any]:
    """No caching yet: everything is plain input."""
    return {
        "input_tokens": asked.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thinking},
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": asked.body.get("inference_geo") or "global",
        "speed": asked.body.get("speed"),
    }


def _text(asked: Asked, rng: random.Random) -> str:
    found, body = asked.markers, asked.body
    if "text" in found:
        return found["text"]
    if "body" in found:
        return canonical(body).decode()
    form = body.get("output_config", {}).get("format")
    if form is not None and "no_json" not in found:
        return orjson.dumps(sample(form["schema"], rng)).decode()
    if "tokens" in found:
        return _long_text(asked, int(number(found["tokens"]) or 1), rng)
    if offered := options(asked.text) or options(content_text(body.get("system") or "")):
        return rng.choice(offered)
    return _plain_text(asked, rng)


def _plain_text(asked: Asked, rng: random.Random) -> str:
    sentences = " ".join(rng.sample(SENTENCES, rng.randint(1, 3)))
    return f'[{asked.model}] You asked: "{asked.text[:ECHO_CHARACTERS]}" {sentences}'


def _long_text(asked: Asked, tokens: int, rng: random.Random) -> str:
    tokens = max(1, min(tokens, MOST_TOKENS))
    more = f" {' '.join(SENTENCES)}"
    return cut(_plain_text(asked, rng) + more * (tokens * BYTES_PER_TOKEN // len(more) + 1), tokens)


def _ended(asked: Asked, text: str, tokens: int) -> tuple[str, str, str | None]:
    """The text as far as it goes, why it stopped, and at which stop sequence."""
    stop, sequence = asked.markers.get("stop") or "end_turn", None
    places = [(text.find(word), word) for word in asked.body.get("stop_sequences") or () if word in text]
    if places:
        place, sequence = min(places)
        text, stop = text[:place], "stop_sequence"
    if (text and text_tokens(text) > tokens) or tokens <= 0:
        return cut(text, max(0, tokens)), "max_tokens", None
    return text, stop, sequence


def _thinking(asked: Asked, max_tokens: int) -> str | None:
    """The thinking's text, None when the model does not think."""
    kind = asked.body.get("thinking", {}).get("type")
    if kind not in ("adaptive", "enabled") or (kind == "adaptive" and max_tokens < LEAST_OUTPUT_FOR_THINKING):
        return None
    effort = asked.body.get("output_config", {}).get("effort") or "high"
    text = f"The message begins with {asked.text[:40]!r}. " + " ".join(SENTENCES)
    return cut(text * 3, min(max_tokens, THINKING_TOKENS[effort]))


def _thinking_block(asked: Asked, thought: str) -> dict[str, Any]:
    """That the default display is `summarized` is a guess: it depends on the model."""
    omitted = asked.body["thinking"].get("display") == "omitted"
    return {"type": "thinking", "thinking": "" if omitted else thought, "signature": f"sim_{asked.hash}"}


def _forced_tool(body: dict[str, Any]) -> dict[str, Any] | None:
    choice = body.get("tool_choice") or {}
    if choice.get("type") not in ("any", "tool"):
        return None
    tools: list[dict[str, Any]] = body["tools"]
    return next((tool for tool in tools if tool.get("name") == choice.get("name")), tools[0])


def _tool_block(asked: Asked, tool: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    value = sample(tool.get("input_schema", {"type": "object"}), rng)
    call = {"type": "tool_use", "id": f"toolu_sim_{asked.hash[:20]}", "name": tool.get("name", ""), "input": value}
    return {**call, "caller": {"type": "direct"}}
