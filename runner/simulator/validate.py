"""Checks a request's body as the API does, and raises the first error in the API's own words.

Wordings marked (seen) were quoted from real replies in public issue trackers (github.com/anthropics/claude-code,
/anthropic-sdk-python and others); the rest follow pydantic, which the real ones are built from, and are guesses.
Fields and types: `types/message_create_params.py` of SDK 2.12.0. This module checks the outermost fields;
`validate_messages` the conversation, `validate_media` its attachments, `validate_tools` the tools, `validate_beta`
what needs a beta, `validate_create` the smaller fields, `validate_model` what depends on the model and
`validate_schema` output formats.
Must not look at anything but the body and two headers.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from runner.simulator.betas import allowed
from runner.simulator.catalog import find_model, served
from runner.simulator.errors import Rejected, not_found
from runner.simulator.hops import bodies
from runner.simulator.validate_beta import check_beta_fields
from runner.simulator.validate_create import check_create_fields
from runner.simulator.validate_media import check_attachments
from runner.simulator.validate_messages import check_cache_controls, check_messages, check_system
from runner.simulator.validate_model import check_for_model
from runner.simulator.validate_schema import check_format
from runner.simulator.validate_tools import check_tool_choice, check_tools

SAMPLING = ("temperature", "top_p", "top_k")
COMMON_FIELDS = frozenset(
    {"cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools"}
)
CREATE_FIELDS = COMMON_FIELDS | {
    "container", "diagnostics", "inference_geo", "max_tokens", "metadata", "service_tier", "stop_sequences", "stream",
}  # fmt: skip
NO_SAMPLING_SINCE = "2026-10-21"
THINKING_TYPES = {
    "adaptive": {"display"},
    "enabled": {"budget_tokens", "display"},
    "disabled": set[str](),
    "between_tools": set[str](),
}
TASK_BUDGET_BETA = "task-budgets-2026-03-13"
FAST_BETA = "fast-mode-2026-02-01"
EFFORTS = ("low", "medium", "high", "xhigh", "max")


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


def check_create(body: dict[str, Any], *, version: str, betas: frozenset[str] = frozenset()) -> None:
    """A body of POST /v1/messages. betas: the names in the anthropic-beta header."""
    for name in ("model", "messages", "max_tokens"):
        if name not in body:
            raise Rejected(f"{name}: Field required")
    check_integer("max_tokens", body["max_tokens"], at_least=0)
    _check_fields(body, CREATE_FIELDS, version=version, betas=betas)
    _check_common(body, betas)
    check_create_fields(body)
    check_for_model(body, find_model(body["model"]), counting=False)
    if body.get("fallbacks"):
        _check_hops(body)


def _check_hops(body: dict[str, Any]) -> None:
    """The request must be valid on every fallback; the prefix of the message is a guess."""
    for index, hop in enumerate(bodies(body)):
        try:
            check_integer("max_tokens", hop["max_tokens"], at_least=0)
            if "thinking" in hop:
                _check_thinking(hop["thinking"])
            if "output_config" in hop:
                _check_output_config(hop["output_config"])
            check_for_model(hop, find_model(hop["model"]), counting=False)
        except Rejected as rejected:
            raise Rejected(f"fallbacks.{index}: {rejected.message}") from None


def check_count(body: dict[str, Any], *, version: str, betas: frozenset[str] = frozenset()) -> None:
    """A body of POST /v1/messages/count_tokens (`types/message_count_tokens_params.py`)."""
    for name in ("model", "messages"):
        if name not in body:
            raise Rejected(f"{name}: Field required")
    _check_fields(body, COMMON_FIELDS, version=version, betas=betas)
    _check_common(body, betas)
    check_for_model(body, find_model(body["model"]), counting=True)


def check_integer(path: str, value: Any, *, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Rejected(f"{path}: Input should be a valid integer")
    if value < at_least:
        raise Rejected(f"{path}: Input should be greater than or equal to {at_least}")


def _check_fields(body: dict[str, Any], known: frozenset[str], *, version: str, betas: frozenset[str]) -> None:
    """Unknown fields (seen: `extra_body: Extra inputs are not permitted`).

    That version 2026-10-21 answers sampling fields like unknown ones is a guess.
    """
    for name in body:
        if name in known or (betas and allowed(name, body[name], betas)):
            continue
        if name in SAMPLING and version < NO_SAMPLING_SINCE and known is CREATE_FIELDS:
            continue
        raise Rejected(f"{name}: Extra inputs are not permitted")


def _check_common(body: dict[str, Any], betas: frozenset[str]) -> None:
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
        if "task_budget" in body["output_config"] and TASK_BUDGET_BETA not in betas:  # (seen)
            raise Rejected("output_config.task_budget: Extra inputs are not permitted")
    if "tools" in body:
        check_tools(body["tools"], betas)
    if "tool_choice" in body:
        check_tool_choice(body)
    if betas:
        check_beta_fields(body, betas)
    _check_speed(body, betas)
    check_cache_controls(body)
    check_attachments(body)
    if not served(model):
        raise not_found(f"model: {model}")


def _check_speed(body: dict[str, Any], betas: frozenset[str]) -> None:
    """Some models need a beta for any speed (`types/message_create_params.py`); which ones is a guess."""
    if body.get("speed", "standard") not in ("standard", "fast", None):
        raise Rejected("speed: Input should be 'standard' or 'fast'")
    model = find_model(body["model"])
    if body.get("speed") is not None and model is not None and model.fast_beta and FAST_BETA not in betas:
        raise Rejected("speed: Extra inputs are not permitted")


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
