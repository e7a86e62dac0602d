"""Checks system, messages and cache_control as the API does. See `validate` for where the wordings come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.simulator.errors import Rejected
from runner.simulator.validate_media import check_source
from runner.simulator.validate_turns import check_turns

ROLES = ("user", "assistant", "system")
BLOCK_FIELDS = {
    "text": {"text", "citations"},
    "image": {"source", "transformations"},
    "document": {"source", "citations", "context", "title"},
    "search_result": {"content", "source", "title", "citations"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "tool_use": {"id", "name", "input", "caller", "toolset_name"},
    "tool_result": {"tool_use_id", "content", "is_error", "toolset_name"},
}
"""The block types that are checked, with their fields; cache_control is allowed on all but thinking."""

OTHER_BLOCKS = frozenset(
    {
        "server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
        "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
        "container_upload", "tool_reference", "browser_state", "compaction", "fallback", "mcp_tool_use",
        "mcp_tool_result",
    }
)  # fmt: skip
"""Block types that are accepted unread (`types/content_block_param.py` of SDK 2.12.0 and its beta twin)."""

REQUIRED = {
    "text": ("text",), "image": ("source",), "document": ("source",), "thinking": ("thinking", "signature"),
    "tool_use": ("id", "name", "input"), "tool_result": ("tool_use_id",), "redacted_thinking": ("data",),
    "search_result": ("source", "title", "content"),
}  # fmt: skip
MAX_BREAKPOINTS = 4


def check_system(system: Any) -> None:
    """A string or text blocks. An empty string counts as no system prompt (a guess)."""
    if isinstance(system, str):
        if system and system.isspace():
            raise Rejected("system: text content blocks must contain non-whitespace text")
        return
    if not isinstance(system, list):
        raise Rejected("system: Input should be a valid list")
    for index, block in enumerate(system):
        path = f"system.{index}"
        _check_dict(path, block)
        if block.get("type") != "text":
            raise Rejected(f"{path}.type: Input should be 'text'")
        _check_block(path, block, owner="system", in_system=True)


def check_messages(messages: Any) -> None:
    """The conversation: its roles, their order, and that nobody says nothing."""
    if not isinstance(messages, list):
        raise Rejected("messages: Input should be a valid list")
    if not messages:
        raise Rejected("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(index, message, last=index == len(messages) - 1)
    check_turns(messages)


def _check_message(index: int, message: Any, *, last: bool) -> None:
    path = f"messages.{index}"
    _check_dict(path, message)
    for name in ("role", "content"):
        if name not in message:
            raise Rejected(f"{path}.{name}: Field required")
    role = message["role"]
    if role not in ROLES:
        raise Rejected(f"{path}.role: Input should be 'user', 'assistant' or 'system'")
    for name in message:
        if name not in ("role", "content"):  # (seen)
            raise Rejected(f"{path}.{name}: Extra inputs are not permitted")
    _check_content(path, message["content"], role=role, may_be_empty=last and role == "assistant")


def _check_content(path: str, content: Any, *, role: str, may_be_empty: bool) -> None:
    if not isinstance(content, str | list):
        raise Rejected(f"{path}.content: Input should be a valid list")
    if not content:
        if may_be_empty:
            return
        raise Rejected(f"{path}: {role} messages must have non-empty content")
    if isinstance(content, str):
        check_text("messages", content)
        return
    for index, block in enumerate(content):
        block_path = f"{path}.content.{index}"
        _check_dict(block_path, block)
        _check_block(block_path, block, owner="messages")


def check_text(owner: str, text: str) -> None:
    """(seen), both."""
    if not text:
        raise Rejected(f"{owner}: text content blocks must be non-empty")
    if text.isspace():
        raise Rejected(f"{owner}: text content blocks must contain non-whitespace text")


def _check_dict(path: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise Rejected(f"{path}: Input should be a valid dictionary")


def _check_block(path: str, block: dict[str, Any], *, owner: str, in_system: bool = False) -> None:
    kind = block.get("type")
    if kind is None:
        raise Rejected(f"{path}.type: Field required")
    if not isinstance(kind, str):
        raise Rejected(f"{path}.type: Input should be a valid string")
    if kind in OTHER_BLOCKS:
        return
    if kind not in BLOCK_FIELDS:
        tags = ", ".join(f"'{name}'" for name in sorted(BLOCK_FIELDS))
        raise Rejected(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}")
    tagged = path if in_system else f"{path}.{kind}"
    for name in REQUIRED.get(kind, ()):
        if name not in block:
            raise Rejected(f"{tagged}.{name}: Field required")
    for name in block:
        allowed = name == "type" or name in BLOCK_FIELDS[kind]
        if not (allowed or (name == "cache_control" and "thinking" not in kind)):  # (seen)
            raise Rejected(f"{tagged}.{name}: Extra inputs are not permitted")
    _check_values(tagged, block, kind, owner)


def _check_values(path: str, block: dict[str, Any], kind: str, owner: str) -> None:
    if kind in ("text", "thinking") and not isinstance(block[kind], str):
        raise Rejected(f"{path}.{kind}: Input should be a valid string")
    if kind == "text":
        if not block["text"] and block.get("cache_control") is not None:  # (seen)
            raise Rejected(f"{path}: cache_control cannot be set for empty text blocks")
        check_text(owner, block["text"])
    elif kind in ("image", "document"):
        check_source(path, kind, block["source"])
        _check_citations(path, block)
    elif kind == "search_result":
        _check_citations(path, block)
    elif kind == "tool_result":
        _check_tool_result(path, block.get("content"))


def _check_citations(path: str, block: dict[str, Any]) -> None:
    citations = block.get("citations")
    if citations is None:
        return
    _check_dict(f"{path}.citations", citations)
    if not isinstance(citations.get("enabled", False), bool):
        raise Rejected(f"{path}.citations.enabled: Input should be a valid boolean")


def _check_tool_result(path: str, content: Any) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise Rejected(f"{path}.content: Input should be a valid list")
    for index, inner in enumerate(content):
        inner_path = f"{path}.content.{index}"
        _check_dict(inner_path, inner)
        _check_block(inner_path, inner, owner="messages")


def check_cache_controls(body: dict[str, Any]) -> None:
    """At most four, each ephemeral, an hour's before five minutes' (https://platform.claude.com/docs/en/build-with-claude/prompt-caching)."""
    count = 0
    short_seen = False
    for path, control in _cache_controls(body):
        _check_control(path, control)
        if path == "cache_control" and (own := _last_control(body)) is not None:
            _check_same(own, control)
            continue
        count += 1
        if (control.get("ttl") or "5m") == "5m":
            short_seen = True
        elif short_seen:
            raise Rejected(
                f"{path}.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
                "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )
    if count > MAX_BREAKPOINTS:  # (seen)
        raise Rejected(f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {count}.")


def _check_control(path: str, control: Any) -> None:
    _check_dict(path, control)
    if control.get("type") != "ephemeral":
        raise Rejected(f"{path}.type: Input should be 'ephemeral'")
    for name in control:
        if name not in ("type", "ttl"):  # (seen: system.1.cache_control.ephemeral.scope: Extra inputs …)
            raise Rejected(f"{path}.ephemeral.{name}: Extra inputs are not permitted")
    if control.get("ttl") not in ("5m", "1h", None):
        raise Rejected(f"{path}.ephemeral.ttl: Input should be '5m' or '1h'")


def _last_control(body: dict[str, Any]) -> dict[str, Any] | None:
    """The breakpoint of the very last block, which the top-level one would mark again."""
    content = body["messages"][-1]["content"]
    control: dict[str, Any] | None = (
        None if isinstance(content, str) or not content else content[-1].get("cache_control")
    )
    return control


def _check_same(own: dict[str, Any], top: dict[str, Any]) -> None:
    """The same twice counts once; two lifetimes are a 400 (documented; the wording is a guess)."""
    if (own.get("ttl") or "5m") != (top.get("ttl") or "5m"):
        raise Rejected("cache_control: the last block already has a cache_control with a different ttl")


def _cache_controls(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every breakpoint in the order the API reads them, the top-level one last."""
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("cache_control") is not None:
            yield f"tools.{index}.cache_control", tool["cache_control"]
    system = body.get("system")
    if isinstance(system, list):
        yield from _block_controls("system", system)
    for index, message in enumerate(body["messages"]):
        if isinstance(message["content"], list):
            yield from _block_controls(f"messages.{index}.content", message["content"])
    if body.get("cache_control") is not None:
        yield "cache_control", body["cache_control"]


def _block_controls(path: str, blocks: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for index, block in enumerate(blocks):
        if block.get("cache_control") is not None:
            yield f"{path}.{index}.cache_control", block["cache_control"]
