"""Which betas a request asks for: those that its fields need, once each, and the author's own before them."""

from __future__ import annotations

from typing import Any

import pytest

from runner.prompts.betas import betas_of

BASE = {"model": "claude-opus-5-5", "max_tokens": 100}
CLEAR = {"type": "clear_thinking_20251015"}
SERVER = {"type": "url", "name": "a", "url": "https://a.example"}


@pytest.mark.parametrize(
    ("fields", "betas"),
    [
        ({}, ()),
        ({"fallbacks": "off"}, ()),
        ({"fallbacks": "auto"}, ()),
        ({"fallbacks": "default"}, ("server-side-fallback-2026-07-01",)),
        ({"fallbacks": [{"model": "claude-opus-4-8"}]}, ("server-side-fallback-2026-07-01",)),
        ({"mcp_servers": [SERVER]}, ("mcp-client-2025-11-20",)),
        ({"mcp_servers": [{**SERVER, "tool_configuration": {"enabled": True}}]}, ("mcp-client-2025-04-04",)),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, ("compact-2026-01-12",)),
        ({"context_management": {"edits": [CLEAR, CLEAR]}}, ("context-management-2025-06-27",)),
        ({"compaction": {"type": "summarize"}}, ("compact-2026-09-04",)),
        ({"speed": "fast"}, ()),
        ({"speed": "fast", "model": "claude-opus-5"}, ("fast-mode-2026-02-01",)),
        ({"speed": "fast", "model": "a-model-of-tomorrow"}, ("fast-mode-2026-02-01",)),
        ({"tools": [{"type": "advisor_20260301"}, {"name": "mine"}]}, ("advisor-tool-2026-03-01",)),
        ({"tools": [{"type": "web_search_20260318"}, {"type": "code_execution_20260521"}]}, ()),
        ({"container": {"skills": [{"type": "anthropic", "skill_id": "xlsx"}]}}, ()),
        ({"extra_body": {"thread": {"type": "create"}}}, ("message-threads-2026-08-12",)),
        ({"extra_body": {"output_config": {"task_budget": {}}}}, ("task-budgets-2026-03-13",)),
        ({"betas": ["b-2026-01-01", "a-2026-01-01", "b-2026-01-01"]}, ("b-2026-01-01", "a-2026-01-01")),
        (
            {"betas": ["mcp-client-2026-09-15"], "mcp_servers": [SERVER], "fallbacks": "default"},
            ("mcp-client-2026-09-15", "server-side-fallback-2026-07-01"),
        ),
    ],
)  # fmt: skip
def test_betas(fields: dict[str, Any], betas: tuple[str, ...]) -> None:
    assert betas_of({**BASE, **fields}) == betas


def test_every_beta_that_is_asked_for_is_one_the_sdk_names() -> None:
    from typing import get_args

    from anthropic.types.anthropic_beta_param import AnthropicBetaParam

    from runner.prompts import betas

    named = {name for part in get_args(AnthropicBetaParam) for name in get_args(part)}
    fields = {
        **BASE,
        "model": "claude-opus-5",
        "fallbacks": "default",
        "mcp_servers": [SERVER],
        "compaction": {},
        "speed": "fast",
        "context_management": {"edits": [{"type": "compact_20260112"}, {"type": "clear_thinking_20251015"}]},
        "tools": [{"type": kind} for kind in betas._TOOLS],
        "extra_body": {**dict.fromkeys(betas._EXTRA), "output_config": {"task_budget": {}}},
    }
    asked = betas_of(fields)
    assert len(asked) == 14
    assert set(asked) <= named
