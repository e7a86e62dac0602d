"""Requests and replies for what follows a call: plain records, and a player that answers until nothing follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from runner.prompts.after import After
from runner.prompts.follow import follow
from runner.records import Call, NextCall, Request, Source

OPUS = "claude-opus-5-5"


def request(after: After | None = None, *, max_tokens: int = 100, model: str = OPUS, **body: Any) -> Request:
    messages = [{"role": "user", "content": "hello"}]
    tree = {"model": model, "max_tokens": max_tokens, "messages": messages, **body}
    return Request(0, "row", {}, 0, "k" * 64, model, max_tokens, orjson.dumps(tree), Source("rows.csv", 2), after=after)


def message(text: str = "hi", stop: str = "end_turn", content: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    blocks = [{"type": "text", "text": text}] if content is None else content
    return {"type": "message", "role": "assistant", "content": blocks, "stop_reason": stop, **more}


def call(answer: Mapping[str, Any], asked: NextCall | None = None) -> Call:
    return Call((), asked.purpose if asked else "turn", asked.turn if asked else 0, response=answer)


def played(asked: Request, answer: Callable[[int, dict[str, Any]], Mapping[str, Any]], most: int = 500) -> list[Call]:
    """The calls of a request that gets `answer(number, body)` each time."""
    calls = [call(answer(0, orjson.loads(asked.body)))]
    while (following := follow(asked, calls)) is not None:
        assert len(calls) < most, "it does not end"
        calls.append(call(answer(len(calls), orjson.loads(following.body)), following))
    return calls


def bodies(asked: Request, *answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bodies that are sent when these are the replies; as many as there are calls."""
    seen: list[dict[str, Any]] = []

    def answer(number: int, body: dict[str, Any]) -> Mapping[str, Any]:
        seen.append(body)
        return answers[number]

    played(asked, answer)
    return seen
