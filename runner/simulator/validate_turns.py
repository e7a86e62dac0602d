"""Checks how the messages of a conversation follow each other: roles, system messages, tool calls and their results.

https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages and
/docs/en/agents-and-tools/tool-use/handle-tool-calls. (seen) marks wordings quoted from public issue trackers."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from runner.simulator.errors import Rejected


def check_turns(messages: list[dict[str, Any]]) -> None:
    """Messages whose fields were checked; consecutive ones of a role count as one turn."""
    if messages[0]["role"] != "user" and not _starts_compacted(messages[0]):
        raise Rejected('messages: first message must use the "user" role')
    calls_seen = False
    for index, message in enumerate(messages):
        if message["role"] == "system":
            _check_system(messages, index)
        elif not isinstance(message["content"], str):
            calls_seen = calls_seen or any(block["type"] in ("tool_use", "tool_result") for block in message["content"])
    if calls_seen:
        _check_tool_calls(messages)


def _starts_compacted(message: dict[str, Any]) -> bool:
    """A summary stands in the place of what it sums up, whoever's turn it is in (a guess)."""
    content = message["content"]
    return message["role"] == "assistant" and not isinstance(content, str) and content[0]["type"] == "compaction"


def _check_system(messages: list[dict[str, Any]], index: int) -> None:
    """The first wording is a guess after the second."""
    if messages[index - 1]["role"] != "user":
        raise Rejected(f"messages.{index}: role 'system' must follow a 'user' message")
    if index + 1 < len(messages) and messages[index + 1]["role"] != "assistant":  # (seen)
        raise Rejected(f"messages.{index}: role 'system' must precede an 'assistant' message or end the array")


def _check_tool_calls(messages: list[dict[str, Any]]) -> None:
    """Every tool_use has its tool_result in the next turn of the user, and the other way round."""
    turns = [list(turn) for _, turn in groupby(_blocks(messages), key=lambda found: found[0])]
    for number, turn in enumerate(turns):
        called = _ids(turns[number - 1], "tool_use", "id") if number else {}
        for _, place, block in turn:
            if block["type"] == "tool_result" and str(block["tool_use_id"]) not in called:  # (seen)
                raise Rejected(
                    f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {block['tool_use_id']}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
        if number + 1 == len(turns):
            return
        answered = _ids(turns[number + 1], "tool_result", "tool_use_id")
        open_ = {id: place for id, place in _ids(turn, "tool_use", "id").items() if id not in answered}
        if open_:  # (seen)
            place = next(iter(open_.values())).partition(".content")[0]
            raise Rejected(
                f"{place}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(open_)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
                "message."
            )


def _blocks(messages: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    """(role, place, block) of every block that is not a system message's."""
    found = []
    for number, message in enumerate(messages):
        content = message["content"]
        if message["role"] == "system":
            continue
        blocks = [{"type": "text"}] if isinstance(content, str) else content
        found += [(message["role"], f"messages.{number}.content.{at}", block) for at, block in enumerate(blocks)]
    return found


def _ids(turn: list[tuple[str, str, dict[str, Any]]], kind: str, name: str) -> dict[str, str]:
    """Tool ids → where they stand, of this kind of block."""
    return {str(block[name]): place for _, place, block in turn if block["type"] == kind}
