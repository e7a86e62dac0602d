"""How many tokens a text is: a guess, since no Claude tokenizer is public.

A token is four bytes of UTF-8, rounded up, and nothing is free: about right for English, too few for code.
"""

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
    total = 0
    if system := body.get("system"):
        total += MESSAGE_TOKENS + _content_tokens(system)
    if tools := body.get("tools"):
        total += text_tokens(repr(tools))
    for message in body["messages"]:
        total += MESSAGE_TOKENS + _content_tokens(message["content"])
    return max(1, total)


def _content_tokens(content: Any) -> int:
    if isinstance(content, str):
        return text_tokens(content)
    return sum(_block_tokens(block) for block in content)


def _block_tokens(block: dict[str, Any]) -> int:
    kind = block["type"]
    if kind == "text":
        return text_tokens(block["text"])
    if kind == "thinking":
        return text_tokens(block["thinking"])
    if kind == "tool_result":
        return _content_tokens(block.get("content") or " ")
    if kind == "document" and block["source"].get("type") == "text":
        return text_tokens(str(block["source"].get("data", "")))
    if kind in ("image", "document"):
        return ATTACHMENT_TOKENS
    return text_tokens(repr(block))
