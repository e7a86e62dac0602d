"""The words of a reply: what a prompt, a marker or an output format makes the simulator say, and what it thinks first.

Pure functions of the request; see `messages` for the reply around them."""

from __future__ import annotations

import random
from typing import Any

import orjson

from runner.simulator.asked import Asked, canonical
from runner.simulator.choices import options
from runner.simulator.markers import content_text, number
from runner.simulator.sample import sample
from runner.simulator.tokens import BYTES_PER_TOKEN, cut, text_tokens

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


def answer_text(asked: Asked, rng: random.Random) -> str:
    """What the reply says, before max_tokens and stop sequences."""
    found, body = asked.markers, asked.body
    if "text" in found:
        return found["text"]
    if "body" in found:
        return canonical(body).decode()
    form = (body.get("output_config") or {}).get("format") or body.get("output_format")
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


def ended(asked: Asked, text: str, tokens: int) -> tuple[str, str, str | None]:
    """The text as far as it goes, why it stopped, and at which stop sequence."""
    stop, sequence = asked.markers.get("stop") or "end_turn", None
    places = [(text.find(word), word) for word in asked.body.get("stop_sequences") or () if word in text]
    if places:
        place, sequence = min(places)
        text, stop = text[:place], "stop_sequence"
    if (text and text_tokens(text) > tokens) or tokens <= 0:
        return cut(text, max(0, tokens)), "max_tokens", None
    return text, stop, sequence


def thinking(asked: Asked, max_tokens: int) -> str | None:
    """The thinking's text, None when the model does not think."""
    kind = (asked.body.get("thinking") or {}).get("type")
    if kind not in ("adaptive", "enabled") or max_tokens <= 0:
        return None
    if "thinking" in asked.markers:
        wanted = max(1, min(int(number(asked.markers["thinking"]) or 1), MOST_TOKENS))
        return cut(" ".join(SENTENCES) * (wanted * BYTES_PER_TOKEN // 400 + 1), min(max_tokens, wanted))
    if kind == "adaptive" and max_tokens < LEAST_OUTPUT_FOR_THINKING:
        return None
    effort = (asked.body.get("output_config") or {}).get("effort") or "high"
    text = f"The message begins with {asked.text[:40]!r}. " + " ".join(SENTENCES)
    return cut(text * 3, min(max_tokens, THINKING_TOKENS[effort]))


def thinking_block(asked: Asked, thought: str) -> dict[str, Any]:
    """That the default display is `summarized` is a guess: it depends on the model."""
    omitted = asked.body["thinking"].get("display") == "omitted"
    return {"type": "thinking", "thinking": "" if omitted else thought, "signature": f"sim_{asked.hash}"}
