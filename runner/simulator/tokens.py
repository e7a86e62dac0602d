"""How many tokens a text is: a guess, since no Claude tokenizer is public.

A token is four bytes of UTF-8, rounded up, and nothing is free: about right for English, too few for code. What stands
before the last compaction block is not sent to the model and costs nothing."""

from __future__ import annotations

from typing import Any

BYTES_PER_TOKEN = 4
MESSAGE_TOKENS = 3
"""What a message costs beside its text (a guess)."""
ATTACHMENT_TOKENS = 1_500
"""What an image or a document costs that is not text (a guess: about a page)."""


def text_tokens(text: str) -> int:
    """Tokens of a text, at least 1."""
    return max(1, -(-len(text.encode()) // BYTES_PER_TOKEN))


def cut(text: str, tokens: int) -> str:
    """The longest beginning of the text that is at most so many tokens."""
    return text.encode()[: tokens * BYTES_PER_TOKEN].decode("utf-8", errors="ignore")


def input_tokens(body: dict[str, Any]) -> int:
    """Tokens of what a request asks: system, tools and messages; at least 1."""
    messages = live_messages(body["messages"])
    total = sum(MESSAGE_TOKENS + content_tokens(message["content"]) for message in messages)
    return max(1, frame_tokens(body) + total)


def live_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages from the last compaction block on; a block without content counts for nothing."""
    for number in range(len(messages) - 1, -1, -1):
        content = messages[number]["content"]
        if isinstance(content, str):
            continue
        for at in range(len(content) - 1, -1, -1):
            if content[at]["type"] == "compaction" and content[at].get("content"):
                return [{**messages[number], "content": content[at:]}, *messages[number + 1 :]]
    return messages


def frame_tokens(body: dict[str, Any]) -> int:
    """Tokens of the tools and the system prompt."""
    total = 0
    if system := body.get("system"):
        total += MESSAGE_TOKENS + content_tokens(system)
    for tool in body.get("tools") or ():
        total += tool_tokens(tool)
    return total


def tool_tokens(tool: dict[str, Any]) -> int:
    return _json_tokens(tool)


def _json_tokens(value: dict[str, Any]) -> int:
    """Marking something as cacheable does not make it longer."""
    return text_tokens(repr({name: inner for name, inner in value.items() if name != "cache_control"}))


def content_tokens(content: Any) -> int:
    if isinstance(content, str):
        return text_tokens(content)
    return sum(block_tokens(block) for block in content)


def block_tokens(block: dict[str, Any]) -> int:
    """Tokens of one content block."""
    kind = block["type"]
    if kind == "text":
        return text_tokens(block["text"])
    if kind == "thinking":
        return text_tokens(block["thinking"])
    if kind == "fallback":
        return 0
    if kind == "compaction":
        return text_tokens(str(block.get("content") or ""))
    if kind == "tool_result":
        return content_tokens(block.get("content") or " ")
    if kind == "document" and block["source"].get("type") == "text":
        return text_tokens(str(block["source"].get("data", "")))
    if kind in ("image", "document"):
        return ATTACHMENT_TOKENS
    return _json_tokens(block)
