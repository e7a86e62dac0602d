"""Checks the smaller fields of POST /v1/messages as the API does. See `validate` for where the wordings come from."""

from __future__ import annotations

from typing import Any

from runner.simulator.errors import Rejected

MOST_SKILLS = 8


def check_create_fields(body: dict[str, Any]) -> None:
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise Rejected("stream: Input should be a valid boolean")
    if "stop_sequences" in body:
        _check_stop_sequences(body["stop_sequences"])
    if "metadata" in body:
        _check_metadata(body["metadata"])
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise Rejected("service_tier: Input should be 'auto' or 'standard_only'")
    if not isinstance(body.get("inference_geo"), str | None):
        raise Rejected("inference_geo: Input should be a valid string")
    if body.get("container") is not None:
        _check_container(body)
    if body.get("diagnostics") is not None:
        _check_diagnostics(body["diagnostics"])


def _check_container(body: dict[str, Any]) -> None:
    """An id, or `{id, skills}`; that skills need the code execution tool is documented, the wording a guess."""
    value = body["container"]
    if isinstance(value, str):
        return
    if not isinstance(value, dict):
        raise Rejected("container: Input should be a valid dictionary")
    for name in value:
        if name not in ("id", "skills"):
            raise Rejected(f"container.{name}: Extra inputs are not permitted")
    skills = value.get("skills") or []
    if not isinstance(skills, list):
        raise Rejected("container.skills: Input should be a valid list")
    if len(skills) > MOST_SKILLS:
        raise Rejected(f"container.skills: List should have at most 8 items after validation, not {len(skills)}")
    for index, skill in enumerate(skills):
        _check_skill(f"container.skills.{index}", skill)
    runs = any(str(tool.get("type")).startswith("code_execution") for tool in body.get("tools") or ())
    if skills and not runs:
        raise Rejected("container.skills: skills require the code execution tool in `tools`")


def _check_skill(path: str, skill: Any) -> None:
    if not isinstance(skill, dict):
        raise Rejected(f"{path}: Input should be a valid dictionary")
    for name in ("type", "skill_id"):
        if name not in skill:
            raise Rejected(f"{path}.{name}: Field required")
    if skill["type"] not in ("anthropic", "custom"):
        raise Rejected(f"{path}.type: Input should be 'anthropic' or 'custom'")


def _check_diagnostics(value: Any) -> None:
    if not isinstance(value, dict):
        raise Rejected("diagnostics: Input should be a valid dictionary")
    for name in value:
        if name != "previous_message_id":
            raise Rejected(f"diagnostics.{name}: Extra inputs are not permitted")
    if not isinstance(value.get("previous_message_id"), str | None):
        raise Rejected("diagnostics.previous_message_id: Input should be a valid string")


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
