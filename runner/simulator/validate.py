"""Checks a request's body as the API does, and raises the first error in the API's own words.

Wordings marked (seen) were quoted from real replies in public issue trackers (github.com/anthropics/claude-code,
/anthropic-sdk-python and others); the rest follow pydantic, which the real ones are built from, and are guesses.
Fields and types: `types/message_create_params.py` of SDK 2.12.0. This module checks the outermost fields;
`validate_messages` the conversation, `validate_model` what depends on the model, `validate_schema` output formats.
Must not look at anything but the body and two headers.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from runner.simulator.catalog import find_model, served
from runner.simulator.errors import Rejected, not_found
from runner.simulator.validate_messages import check_cache_controls, check_messages, check_system
from runner.simulator.validate_model import check_for_model
from runner.simulator.validate_schema import check_format

SAMPLING = ("temperature", "top_p", "top_k")
COMMON_FIELDS = frozenset(
    {"cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools"}
)
CREATE_FIELDS = COMMON_FIELDS | {
    "container", "diagnostics", "inference_geo", "max_tokens", "metadata", "service_tier", "stop_sequences", "stream",
}  # fmt: skip
BETA_FIELDS = frozenset(
    {
        "billing_policy", "compaction", "context_management", "fallback_credit_token", "fallbacks", "mcp_servers",
        "output_format", "thread",
    }
)  # fmt: skip
"""Fields that need an anthropic-beta header (`types/beta/message_create_params.py`); they are accepted unread."""

NO_SAMPLING_SINCE = "2026-10-21"
THINKING_TYPES = {
    "adaptive": {"display"},
    "enabled": {"budget_tokens", "display"},
    "disabled": set[str](),
    "between_tools": set[str](),
}
EFFORTS = ("low", "medium", "high", "xhigh", "max")
TOOL_CHOICES = ("any", "auto", "none", "tool")


def parse(raw: bytes) -> dict[str, Any]:
    """The body as a JSON object."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"The request body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise Rejected("Input should be a valid dictionary")
    return body


def check_version(version: str | None) -> str:
    """The anthropic-version header (https://platform.claude.com/docs/en/api/versioning); both wordings are guesses."""
    if not version:
        raise Rejected("anthropic-version: header is required")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", version):
        raise Rejected(f'anthropic-version: "{version}" is not a valid version')
    return version


def check_create(body: dict[str, Any], *, version: str, beta: bool) -> None:
    """A body of POST /v1/messages. beta: whether there was an anthropic-beta header."""
    for name in ("model", "messages", "max_tokens"):
        if name not in body:
            raise Rejected(f"{name}: Field required")
    check_integer("max_tokens", body["max_tokens"], at_least=0)
    _check_fields(body, CREATE_FIELDS, version=version, beta=beta)
    _check_common(body)
    _check_create_fields(body)
    check_for_model(body, find_model(body["model"]), counting=False)


def check_count(body: dict[str, Any], *, version: str, beta: bool) -> None:
    """A body of POST /v1/messages/count_tokens (`types/message_count_tokens_params.py`)."""
    for name in ("model", "messages"):
        if name not in body:
            raise Rejected(f"{name}: Field required")
    _check_fields(body, COMMON_FIELDS, version=version, beta=beta)
    _check_common(body)
    check_for_model(body, find_model(body["model"]), counting=True)


def check_integer(path: str, value: Any, *, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Rejected(f"{path}: Input should be a valid integer")
    if value < at_least:
        raise Rejected(f"{path}: Input should be greater than or equal to {at_least}")


def _check_fields(body: dict[str, Any], known: frozenset[str], *, version: str, beta: bool) -> None:
    """Unknown fields (seen: `extra_body: Extra inputs are not permitted`).

    That version 2026-10-21 answers sampling fields like unknown ones is a guess.
    """
    for name in body:
        if name in known or (beta and name in BETA_FIELDS):
            continue
        if name in SAMPLING and version < NO_SAMPLING_SINCE and known is CREATE_FIELDS:
            continue
        raise Rejected(f"{name}: Extra inputs are not permitted")


def _check_common(body: dict[str, Any]) -> None:
    model = body["model"]
    if not isinstance(model, str):
        raise Rejected("model: Input should be a valid string")
    if not model:
        raise Rejected("model: String should have at least 1 character")
    if "system" in body:
        check_system(body["system"])
    check_messages(body["messages"])
    if "thinking" in body:
        _check_thinking(body["thinking"])
    if "output_config" in body:
        _check_output_config(body["output_config"])
    if "tools" in body:
        _check_tools(body["tools"])
    if "tool_choice" in body:
        _check_tool_choice(body)
    check_cache_controls(body)
    if not served(model):
        raise not_found(f"model: {model}")


def _check_create_fields(body: dict[str, Any]) -> None:
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise Rejected("stream: Input should be a valid boolean")
    if "stop_sequences" in body:
        _check_stop_sequences(body["stop_sequences"])
    if "metadata" in body:
        _check_metadata(body["metadata"])
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise Rejected("service_tier: Input should be 'auto' or 'standard_only'")
    if body.get("speed", "standard") not in ("standard", "fast", None):
        raise Rejected("speed: Input should be 'standard' or 'fast'")


def _check_stop_sequences(value: Any) -> None:
    if not isinstance(value, list):
        raise Rejected("stop_sequences: Input should be a valid list")
    for index, text in enumerate(value):
        if not isinstance(text, str):
            raise Rejected(f"stop_sequences.{index}: Input should be a valid string")
        if not text.strip():  # (seen)
            raise Rejected("stop_sequences: each stop sequence must contain non-whitespace")


def _check_metadata(value: Any) -> None:
    if not isinstance(value, dict):
        raise Rejected("metadata: Input should be a valid dictionary")
    for name in value:
        if name != "user_id":
            raise Rejected(f"metadata.{name}: Extra inputs are not permitted")
    if not isinstance(value.get("user_id"), str | None):
        raise Rejected("metadata.user_id: Input should be a valid string")


def _check_thinking(value: Any) -> None:
    """(seen): `thinking.enabled.budget_tokens: Input should be greater than or equal to 1024`."""
    if not isinstance(value, dict):
        raise Rejected("thinking: Input should be a valid dictionary")
    kind = value.get("type")
    if kind is None:
        raise Rejected("thinking.type: Field required")
    if not isinstance(kind, str) or kind not in THINKING_TYPES:
        tags = ", ".join(f"'{name}'" for name in THINKING_TYPES)
        raise Rejected(
            f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        )
    for name in value:
        if name != "type" and name not in THINKING_TYPES[kind]:
            raise Rejected(f"thinking.{kind}.{name}: Extra inputs are not permitted")
    if value.get("display") not in (None, "summarized", "omitted"):
        raise Rejected(f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'")
    if kind == "enabled":
        if "budget_tokens" not in value:
            raise Rejected("thinking.enabled.budget_tokens: Field required")
        check_integer("thinking.enabled.budget_tokens", value["budget_tokens"], at_least=1024)


def _check_output_config(value: Any) -> None:
    if not isinstance(value, dict):
        raise Rejected("output_config: Input should be a valid dictionary")
    for name in value:
        if name not in ("effort", "format", "task_budget"):
            raise Rejected(f"output_config.{name}: Extra inputs are not permitted")
    if value.get("effort") not in (None, *EFFORTS):
        raise Rejected("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if value.get("format") is not None:
        check_format(value["format"])


def _check_tools(value: Any) -> None:
    """Only what every tool has: server tools have fields of their own, which are accepted unread."""
    if not isinstance(value, list):
        raise Rejected("tools: Input should be a valid list")
    for index, tool in enumerate(value):
        if not isinstance(tool, dict):
            raise Rejected(f"tools.{index}: Input should be a valid dictionary")
        if tool.get("type") in (None, "custom"):
            for name in ("name", "input_schema"):
                if name not in tool:
                    raise Rejected(f"tools.{index}.custom.{name}: Field required")


def _check_tool_choice(body: dict[str, Any]) -> None:
    value = body["tool_choice"]
    if not isinstance(value, dict):
        raise Rejected("tool_choice: Input should be a valid dictionary")
    kind = value.get("type")
    if kind not in TOOL_CHOICES:
        raise Rejected(
            f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
            "'any', 'auto', 'none', 'tool'"
        )
    if not body.get("tools"):  # (seen)
        raise Rejected("tool_choice: tool_choice may only be specified while providing tools.")
    if kind == "tool" and value.get("name") not in [tool.get("name") for tool in body["tools"]]:
        raise Rejected(f"Tool '{value.get('name')}' not found in provided tools")
