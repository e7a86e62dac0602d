"""Betas and what they open, against literals."""

# ruff: noqa: E501 - a change and its message read best on one line
from __future__ import annotations

import pytest

from runner.simulator.betas import KNOWN, read_betas
from runner.simulator.catalog import allowed_fallbacks
from runner.simulator.errors import Rejected
from runner.simulator.validate import check_count, check_create

NOW = "2026-10-21"
GOOD = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
FALLBACK = "server-side-fallback-2026-07-01"
OLD_FALLBACK = "server-side-fallback-2026-06-01"
EDITING, COMPACT, SUMMARIZE = "context-management-2025-06-27", "compact-2026-01-12", "compact-2026-09-04"
MCP, OLD_MCP = "mcp-client-2025-11-20", "mcp-client-2025-04-04"
SERVER = {"type": "url", "url": "https://mcp.example/x", "name": "notes"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "notes"}


def to(*models, **more):
    return {"fallbacks": [{"model": model, **more} for model in models]}


def compact(**edit):
    return {"context_management": {"edits": [{"type": "compact_20260112", **edit}]}}


def test_the_header_is_a_list():
    assert read_betas(None) == read_betas("") == frozenset()
    assert read_betas(f" {FALLBACK},{COMPACT} ,") == {FALLBACK, COMPACT}


def test_unknown_betas_are_named():
    with pytest.raises(Rejected) as caught:
        read_betas(f"{FALLBACK},what-2026-01-01,ever")
    assert caught.value.message == (
        "Unexpected value(s) `what-2026-01-01`, `ever` for the `anthropic-beta` header. Please consult our "
        "documentation at docs.claude.com or try again without the header."
    )


def test_every_beta_of_the_sdk_is_known():
    from typing import get_args

    from anthropic.types.anthropic_beta_param import AnthropicBetaParam

    names = next(get_args(part) for part in get_args(AnthropicBetaParam) if get_args(part))
    assert len(names) > 50
    assert set(names) <= KNOWN


@pytest.mark.parametrize(
    ("betas", "change", "field"),
    [
        ((), to("claude-opus-4-8"), "fallbacks"),
        ((), {"fallbacks": "default"}, "fallbacks"),
        ((OLD_FALLBACK,), {"fallbacks": "default"}, "fallbacks"),
        ((COMPACT,), to("claude-opus-4-8"), "fallbacks"),
        ((), compact(), "context_management"),
        ((SUMMARIZE,), compact(), "context_management"),
        ((COMPACT,), {"compaction": {"type": "summarize"}}, "compaction"),
        ((), {"mcp_servers": []}, "mcp_servers"),
        ((FALLBACK,), {"thread": {"type": "create"}}, "thread"),
        ((), {"output_format": {}}, "output_format"),
        ((), {"model": "claude-opus-4-8", "speed": "standard"}, "speed"),
        ((), {"output_config": {"task_budget": {"type": "tokens", "total": 5}}}, "output_config.task_budget"),
        ((MCP,), {"mcp_servers": [{**SERVER, "tool_configuration": {}}]}, "mcp_servers.0.tool_configuration"),
    ],
)
def test_without_its_beta_a_field_is_unknown(betas, change, field):
    with pytest.raises(Rejected) as caught:
        check_create({**GOOD, **change}, version=NOW, betas=frozenset(betas))
    assert caught.value.message == f"{field}: Extra inputs are not permitted"


REJECTED = [
    # fallbacks
    (FALLBACK, {"fallbacks": "always"}, "fallbacks: Input should be a valid list"),
    (FALLBACK, {"fallbacks": []}, "fallbacks: List should have at least 1 item after validation, not 0"),
    (
        FALLBACK,
        to("claude-opus-4-8", "claude-opus-5", "claude-sonnet-5", "claude-opus-4-7"),
        "fallbacks: List should have at most 3 items after validation, not 4",
    ),
    (FALLBACK, {"fallbacks": ["claude-opus-4-8"]}, "fallbacks.0: Input should be a valid dictionary"),
    (FALLBACK, {"fallbacks": [{}]}, "fallbacks.0.model: Field required"),
    (FALLBACK, to("claude-opus-4-8", system="x"), "fallbacks.0.system: Extra inputs are not permitted"),
    (FALLBACK, to("claude-opus-4-8", "claude-opus-5-5"), "fallbacks.1.model: must differ from the requested model 'claude-opus-5-5'"),
    (FALLBACK, to("claude-opus-4-8", "claude-opus-4-8"), "fallbacks: models must be distinct"),
    (FALLBACK, {"model": "claude-sonnet-5", **to("claude-opus-4-8")}, "'claude-sonnet-5' does not support the `fallbacks` parameter."),
    (
        FALLBACK,
        to("claude-fable-5"),
        "'claude-fable-5' is not a valid fallback target for 'claude-opus-5-5'. See this model's "
        "`allowed_fallback_models` on GET /v1/models/claude-opus-5-5.",
    ),
    (
        FALLBACK,
        to("claude-opus-4-8", max_tokens=128_001),
        "fallbacks.0: max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for claude-opus-4-8",
    ),
    (FALLBACK, to("claude-opus-4-8", thinking={"type": "deep"}), "fallbacks.0: thinking: Input tag 'deep' found using 'type' does not match any of the expected tags: 'adaptive', 'enabled', 'disabled', 'between_tools'"),
    (
        FALLBACK,
        to("claude-opus-4-6", output_config={"effort": "xhigh"}),
        "fallbacks.0: This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    ),
    # context management
    (EDITING, {"context_management": []}, "context_management: Input should be a valid dictionary"),
    (
        EDITING,
        compact(),
        "context_management.edits.0: Input tag 'compact_20260112' found using 'type' does not match any of the expected "
        "tags: 'clear_thinking_20251015', 'clear_tool_uses_20250919'",
    ),
    (COMPACT, compact(trigger={"type": "input_tokens", "value": 49_999}), "compact_20260112: trigger.value must be at least 50000"),
    (COMPACT, {"model": "claude-haiku-4-5", **compact()}, "context_management.edits.0: 'compact_20260112' is not supported on this model"),
    (
        EDITING,
        {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
        "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive",
    ),
    # compaction
    (SUMMARIZE, {"compaction": {}}, "compaction.type: Input should be 'summarize'"),
    (SUMMARIZE, {"compaction": {"type": "summarize", "trigger": 1}}, "compaction.trigger: Extra inputs are not permitted"),
    (SUMMARIZE, {"model": "claude-haiku-4-5", "compaction": {"type": "summarize"}}, "compaction: not supported on this model"),
    # MCP
    (MCP, {"mcp_servers": [SERVER]}, "MCP server 'notes' is defined but not referenced by any `mcp_toolset` in `tools`."),
    (MCP, {"mcp_servers": [], "tools": [TOOLSET]}, "MCP server 'notes' is referenced by an `mcp_toolset` in `tools` but is not defined."),
    (MCP, {"mcp_servers": [{**SERVER, "url": "http://x"}]}, "mcp_servers.0.url: URL must start with 'https://'"),
    (MCP, {"mcp_servers": [{**SERVER, "token": "t"}]}, "mcp_servers.0.token: Extra inputs are not permitted"),
    (MCP, {"mcp_servers": [{"type": "url", "name": "x"}]}, "mcp_servers.0.url: Field required"),
    (OLD_MCP, {"mcp_servers": [SERVER, SERVER]}, "mcp_servers: MCP server names must be unique"),
]  # fmt: skip


@pytest.mark.parametrize(("beta", "change", "message"), REJECTED)
def test_what_a_beta_opens_is_checked(beta, change, message):
    with pytest.raises(Rejected) as caught:
        check_create({**GOOD, **change}, version=NOW, betas=frozenset({beta}))
    assert caught.value.message == message
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")


def test_compaction_comes_alone():
    body = {**GOOD, "compaction": {"type": "summarize"}, "context_management": {"edits": []}}
    with pytest.raises(Rejected, match=r"^compaction: cannot be combined with `context_management`$"):
        check_create(body, version=NOW, betas=frozenset({SUMMARIZE, EDITING}))


@pytest.mark.parametrize(
    ("beta", "change"),
    [
        (FALLBACK, {"fallbacks": "default"}),
        (FALLBACK, {"model": "claude-sonnet-5", "fallbacks": "default"}),
        (OLD_FALLBACK, to("claude-opus-4-8", "claude-opus-5", "claude-haiku-5-5")),
        (FALLBACK, {**to("claude-opus-4-6"), "output_config": {"effort": "xhigh"}}),
        (FALLBACK, {"model": "claude-next-9", **to("claude-fable-5")}),
        (COMPACT, compact(trigger={"type": "input_tokens", "value": 50_000})),
        (SUMMARIZE, {"compaction": {"type": "summarize", "instructions": ""}}),
        (MCP, {"mcp_servers": [SERVER], "tools": [TOOLSET]}),
        (OLD_MCP, {"mcp_servers": [SERVER]}),
        ("fast-mode-2026-02-01", {"model": "claude-opus-4-8", "speed": "fast"}),
        ("task-budgets-2026-03-13", {"output_config": {"task_budget": {"type": "tokens", "total": 5}}}),
    ],
)
def test_with_its_beta_a_field_is_accepted(beta, change):
    check_create({**GOOD, **change}, version=NOW, betas=frozenset({beta}))


def test_a_tool_of_the_betas_needs_its_own():
    body = {**GOOD, "tools": [{"type": "computer_20251124", "name": "computer"}]}
    check_create(body, version=NOW, betas=frozenset({"computer-use-2025-11-24"}))
    with pytest.raises(Rejected) as caught:
        check_create(body, version=NOW, betas=frozenset({"computer-use-2025-01-24"}))
    assert caught.value.message.startswith(
        "tools.0: Input tag 'computer_20251124' found using 'type' does not match any of the expected tags: "
        "'bash_20250124', 'browser_toolset_20260801', 'code_execution_20250522', "
    )
    assert "'computer_20250124'" in caught.value.message


def test_counting_accepts_what_its_params_have():
    body = {name: GOOD[name] for name in ("model", "messages")}
    check_count({**body, "compaction": {"type": "summarize"}}, version=NOW, betas=frozenset({SUMMARIZE}))
    check_count({**body, **compact()}, version=NOW, betas=frozenset({COMPACT}))


def test_who_may_fall_back_on_whom():
    assert allowed_fallbacks("claude-fable-5")[0] == "claude-opus-4-8"
    assert "claude-opus-5" not in allowed_fallbacks("claude-opus-5")
    assert allowed_fallbacks("claude-sonnet-5") == allowed_fallbacks("claude-opus-4-8") == ()
