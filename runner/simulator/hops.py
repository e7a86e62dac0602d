"""A request as each of its fallbacks would get it. Pure.

Rules: `types/beta/beta_fallback_param.py` of SDK 2.12.0. A model that does not support the request's effort or thinking
gets the request without, as the beta of 2026-07 says; that the beta of 2026-06 does the same is a guess."""

from __future__ import annotations

from typing import Any

from runner.simulator.catalog import Model, allowed_fallbacks, find_model


def bodies(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The request once for each fallback, as if it had been made to that model."""
    wanted = body.get("fallbacks")
    if wanted == "default":
        wanted = [{"model": name} for name in allowed_fallbacks(body["model"])[:1]]
    return [_patched(body, patch) for patch in wanted or ()]


def _patched(body: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in body.items() if name != "fallbacks"}
    made["model"] = patch["model"]
    if patch.get("max_tokens") is not None:
        made["max_tokens"] = patch["max_tokens"]
    model = find_model(patch["model"])
    _set(made, "thinking", _thinking(body, patch, model))
    _set(made, "output_config", _output_config(body, patch, model))
    _set(made, "speed", patch.get("speed"))
    return made


def _set(body: dict[str, Any], name: str, value: Any) -> None:
    body.pop(name, None)
    if value:
        body[name] = value


def _thinking(body: dict[str, Any], patch: dict[str, Any], model: Model | None) -> Any:
    if "thinking" in patch:
        return patch["thinking"]
    value = body.get("thinking")
    if value is None or model is None or value["type"] in model.thinking:
        return value
    off = value["type"] == "between_tools" and "disabled" in model.thinking
    return {"type": "disabled"} if off else None


def _output_config(body: dict[str, Any], patch: dict[str, Any], model: Model | None) -> dict[str, Any] | None:
    if "output_config" in patch and patch["output_config"] is None:
        return None
    own = patch.get("output_config") or {}
    value = {**(body.get("output_config") or {}), **own}
    effort = value.get("effort")
    if effort and "effort" not in own and model is not None and effort not in model.effort:
        del value["effort"]
    return {name: inner for name, inner in value.items() if inner is not None}
