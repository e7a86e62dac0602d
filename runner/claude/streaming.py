"""Events of a streamed reply → the Message a plain call would have given. Pure; imports neither SDK nor HTTP library.

The SDK's own `accumulate_event` is not used: it drops delta types and usage fields it does not know (2.12.0 keeps of
a `message_delta`'s usage only the counts it names, and no `iterations` outside beta), and a paid reply is kept whole.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from runner.claude.decoding import whole_text
from runner.records import Json

LINE_ENDS = re.compile(r"\r\n|\n|\r")
APPENDED = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""Deltas whose text is added to what came before; every other delta sets its fields."""


class BrokenStream(ValueError):
    """The events are not those of a message: out of order, or of another shape."""


@dataclass(slots=True)
class StreamedMessage:
    """A message growing with its events. message: None until `message_start`; whole once `finished`.

    began: called once with its id, when the message starts. careless: events came that are no strict JSON.
    places: the number of a block in the events → its place in the content.
    """

    message: dict[str, Any] | None = None
    finished: bool = False
    pieces: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    began: Callable[[str | None], None] | None = None
    careless: bool = False
    places: dict[int, int] = field(default_factory=dict)

    def add(self, event: Json) -> None:
        """Take one event; unknown types are skipped, as the API asks. Raises BrokenStream."""
        try:
            self._add(event)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise BrokenStream(f"unexpected event in the stream ({type(error).__name__}: {error})") from error

    def _add(self, event: Json) -> None:
        kind = event["type"]
        if kind == "message_start":
            self.message = {**event["message"], "content": list(event["message"].get("content") or ())}
            if self.began is not None:
                self.began(self.message.get("id"))
        elif kind == "content_block_start":
            self._start_block(event)
        elif kind == "content_block_delta":
            self._grow_block(event["index"], event["delta"])
        elif kind == "content_block_stop":
            self._finish_block(event["index"])
        elif kind == "message_delta":
            self._grow_message(event)
        elif kind == "message_stop":
            self._finish()

    def _whole(self) -> dict[str, Any]:
        if self.message is None:
            raise BrokenStream("an event came before `message_start`")
        return self.message

    def _start_block(self, event: Json) -> None:
        message, block = self._whole(), dict(event["content_block"])
        self.places[event["index"]] = len(message["content"])  # a gateway that leaves blocks out leaves their numbers
        message["content"].append(block)
        if block.get("type") == "fallback":  # names the model that goes on; a plain call's `model` says the last one
            message["model"] = block["to"]["model"]

    def _grow_block(self, index: int, delta: Json) -> None:
        block, name = self._block(index), APPENDED.get(delta["type"])
        if name is not None:
            self.pieces.setdefault((index, name), []).append(delta[name])
        elif delta["type"] == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        else:
            block.update((key, value) for key, value in delta.items() if key != "type")

    def _block(self, index: int) -> dict[str, Any]:
        block: dict[str, Any] = self._whole()["content"][self.places[index]]
        return block

    def _finish_block(self, index: int) -> None:
        block = self._block(index)
        for name in ("text", "thinking"):
            grown = self.pieces.pop((index, name), None)
            if grown is not None:
                block[name] = (block.get(name) or "") + "".join(grown)
        written = "".join(self.pieces.pop((index, "partial_json"), ()))
        if written:
            block["input"] = tool_input(whole_text(written))

    def _grow_message(self, event: Json) -> None:
        message = self._whole()
        merge(message, event["delta"])
        merge(message, {key: value for key, value in event.items() if key not in ("type", "delta", "usage")})
        message["usage"] = dict(message.get("usage") or {})
        merge(message["usage"], event.get("usage") or {})  # totals so far, not increments

    def _finish(self) -> None:
        message = self._whole()
        for index in sorted({index for index, _ in self.pieces}):
            self._finish_block(index)
        self.finished = message is not None


def says_error(event: Json) -> bool:
    """Whether it is an error and no part of a message; gateways write it without a type, too."""
    return isinstance(event, dict) and (event.get("type") == "error" or ("error" in event and "type" not in event))


def written_events(text: str) -> Iterator[str]:
    """The data of each event of a whole stream, as the text of its body.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    data: list[str] = []
    for line in LINE_ENDS.split(text + "\n\n"):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def merge(into: dict[str, Any], news: Json) -> None:
    """Set what the news says; a null never takes back what is known (SDK 2.12.0, `accumulate_event`)."""
    for key, value in news.items():
        if value is not None or key not in into:
            into[key] = value


def tool_input(written: str) -> Json:
    """A tool call's input; when `max_tokens` cut its JSON short, as much of it as can be read, as the SDK does."""
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError:
        from jiter import from_json

    try:
        return from_json(written.encode(), partial_mode=True)
    except ValueError:
        return {}
