"""Where a request's conversation stands after the calls that were answered, and the body of the call after them.

Everything is worked out anew from the request's first body and the replies, so that a run that was interrupted goes
on with the same bytes. Sends nothing. Replies are carried forward whole: thinking, compaction and fallback blocks too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from runner.models.rules import rule_for
from runner.prompts.after import After, after_of
from runner.prompts.key import json_bytes
from runner.prompts.replies import of_this_turn, settled, text_of, whole_reply
from runner.prompts.turns import next_turn
from runner.records import Call, Json, NextCall, Purpose, Request


@dataclass
class Conversation:
    """messages: what was asked and said before the last reply. paused: the part of that reply that is said already.

    at: the script's turn that was asked last; replies: what templates see of the turns before the current one.
    """

    request: Request
    after: After
    messages: list[Json]
    at: int
    calls: list[Call] = field(default_factory=list)
    replies: list[Json] = field(default_factory=list)

    def take(self, call: Call) -> None:
        """Add an answered call, after what its question added to the conversation."""
        if call.purpose == "turn" and self.calls:
            self._next_turn()
        elif call.purpose == "ask_again":
            self._say(whole_reply(self.calls))
            self.messages.append(complaint(self.after, self.calls))
        self.calls.append(call)

    def coming(self) -> tuple[int, list[Json]] | None:
        """The next turn of the script and its messages, None when there is none. Raises what rendering raises."""
        seen = [*self.replies, seen_reply(self.after, self.calls)]
        return next_turn(self.after.turns, self.at + 1, self.after.names, seen) if self.after.turns else None

    def _next_turn(self) -> None:
        found = self.coming()
        self.replies.append(seen_reply(self.after, self.calls))
        self._say(whole_reply(self.calls))
        if found is not None:
            self.at, messages = found
            self.messages += messages

    def _say(self, reply: Mapping[str, Json]) -> None:
        """A reply without content adds nothing: the API takes no empty message."""
        if reply.get("content"):
            self.messages.append({"role": "assistant", "content": reply["content"]})


def conversation_of(request: Request, calls: Sequence[Call]) -> Conversation:
    """The conversation after these calls, at least one. Raises what rendering a turn raises."""
    after = after_of(request)
    conversation = Conversation(request, after, list(orjson.loads(request.body)["messages"]), after.first)
    for call in calls:
        conversation.take(call)
    return conversation


def next_body(conversation: Conversation, purpose: Purpose) -> NextCall:
    """The call that goes on from here. Raises what rendering a turn raises."""
    request, calls = conversation.request, conversation.calls
    turn, most = calls[-1].turn, request.max_tokens
    if purpose == "turn":
        turn += 1
    elif purpose == "double" or any(call.purpose == "double" for call in of_this_turn(calls)):
        most = doubled(request)
    body = {**orjson.loads(request.body), "max_tokens": most, "messages": _messages(conversation, purpose)}
    return NextCall(purpose, turn, json_bytes(body), most)


def doubled(request: Request) -> int:
    """Twice its `max_tokens`, up to the model's limit."""
    rules = rule_for(request.model)
    limit = rules.max_output if rules else None
    return 2 * request.max_tokens if limit is None else max(request.max_tokens, min(limit, 2 * request.max_tokens))


def _messages(conversation: Conversation, purpose: Purpose) -> list[Json]:
    if purpose in ("turn", "ask_again"):
        asking = Call((), purpose)
        conversation.take(asking)
        return marked(conversation.messages, conversation.after)
    said = conversation.calls
    if purpose == "double":  # asked as before: without the reply that was cut off
        said = settled(said)[:-1] if settled(said)[-1].purpose == "continue" else []
    if not said or not (content := whole_reply(said)["content"]):
        return marked(conversation.messages, conversation.after)
    return [*conversation.messages, {"role": "assistant", "content": content}]


def marked(messages: list[Json], after: After) -> list[Json]:
    """The messages with the cache's moving breakpoint on the last block of the last one, where one is wanted."""
    if after.moving is None or not messages:
        return messages
    content: Any = messages[-1]["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    blocks[-1] = {**blocks[-1], "cache_control": dict(after.moving)}
    return [*messages[:-1], {**messages[-1], "content": blocks}]


def seen_reply(after: After, calls: Sequence[Call]) -> dict[str, Json]:
    """What templates see of the last reply: its text, its structured output, its stop reason."""
    reply = whole_reply(calls)
    output, _ = checked(after, reply)
    return {"text": text_of(reply), "output": output, "stop_reason": reply.get("stop_reason")}


def checked(after: After, reply: Mapping[str, Json]) -> tuple[Json, tuple[str, ...]]:
    """(the structured output, what is wrong with it); (None, ()) when any text will do."""
    if after.output is None or after.output.schema is None:
        return None, ()
    from runner.prompts.output import check_reply

    found = check_reply(reply, after.output)
    return found.output, tuple(found.errors)


def complaint(after: After, calls: Sequence[Call]) -> Json:
    """The user message that sends what is wrong with the last reply back to the model."""
    _, errors = checked(after, whole_reply(calls))
    listed = "\n".join(f"- {error}" for error in errors)
    text = (
        f"Your reply does not fit the JSON Schema it has to fit:\n{listed}\nAnswer again with the corrected JSON only."
    )
    return {"role": "user", "content": text}
