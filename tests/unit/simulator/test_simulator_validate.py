"""The simulator's error bodies against literals: nothing here is computed from the simulator's own tables."""

# ruff: noqa: E501 - a change and its message read best on one line
from __future__ import annotations

import copy

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.simulator import messages
from runner.simulator.betas import KNOWN
from runner.simulator.caching import positions
from runner.simulator.errors import Rejected
from runner.simulator.validate import check_count, check_create, check_version, parse

NOW = "2026-10-21"
GOOD = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
HAIKU = {"model": "claude-haiku-4-5"}
OPUS_46 = {"model": "claude-opus-4-6"}
TEXT = {"type": "text", "text": "Hello"}
EPHEMERAL = {"type": "ephemeral"}
PAUSED = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
CALL = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t"}
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
LONG_BUDGET = (
    "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
    "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size"
)
ENABLED = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" '
    "to control thinking behavior."
)
PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."


def user(content):
    return {"messages": [{"role": "user", "content": content}]}


def turns(*pairs):
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


def cached(*ttls):
    return user([{**TEXT, "cache_control": {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}} for ttl in ttls])


def four():
    """Four breakpoints, none on the last block."""
    return user([*cached("5m", "5m", "5m", "5m")["messages"][0]["content"], TEXT])


def schema(value):
    return {"output_config": {"format": {"type": "json_schema", "schema": value}}}


REJECTED = [
    ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ({"max_tokens": 128_001}, "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for claude-opus-5-5"),
    ({**HAIKU, "max_tokens": 64_001}, "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5"),
    ({"max_tokens": 0, "stream": True}, "max_tokens: 0 is not supported with `stream`"),
    ({"model": 5}, "model: Input should be a valid string"),
    ({"model": ""}, "model: String should have at least 1 character"),
    ({"xyz": 1}, "xyz: Extra inputs are not permitted"),
    ({"temperature": 0.5}, "temperature: Extra inputs are not permitted"),
    ({"top_p": 0.5}, "top_p: Extra inputs are not permitted"),
    ({"top_k": 5}, "top_k: Extra inputs are not permitted"),
    ({"fallbacks": "default"}, "fallbacks: Extra inputs are not permitted"),
    ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    ({"service_tier": "batch"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    ({"speed": "slow"}, "speed: Input should be 'standard' or 'fast'"),
    ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs are not permitted"),
    ({"metadata": {"user_id": 5}}, "metadata.user_id: Input should be a valid string"),
    # messages
    ({"messages": "Hello"}, "messages: Input should be a valid list"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": ["Hello"]}, "messages.0: Input should be a valid dictionary"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"messages": [{"content": "Hello"}]}, "messages.0.role: Field required"),
    ({"messages": [{"role": "user", "content": "x", "name": "Init"}]}, "messages.0.name: Extra inputs are not permitted"),
    (turns(("robot", "Hello")), "messages.0.role: Input should be 'user', 'assistant' or 'system'"),
    (turns(("assistant", "Hello"), ("user", "Hi")), 'messages: first message must use the "user" role'),
    (turns(("system", "Be brief"), ("user", "Hi")), 'messages: first message must use the "user" role'),
    (turns(("user", "a"), ("assistant", "b"), ("system", "c"), ("user", "d")), "messages.2: role 'system' must follow a 'user' message"),
    (turns(("user", "a"), ("system", "b"), ("user", "c")), "messages.1: role 'system' must precede an 'assistant' message or end the array"),
    (turns(("user", "a"), ("system", "b"), ("system", "c")), "messages.1: role 'system' must precede an 'assistant' message or end the array"),
    ({**OPUS_46, **turns(("user", "a"), ("system", "c"))}, "role 'system' is not supported on this model"),
    (turns(("user", "a"), ("assistant", "b")), PREFILL),
    ({**OPUS_46, **turns(("user", "a"), ("assistant", "b"))}, PREFILL),
    ({**HAIKU, **turns(("user", "a"), ("assistant", "b "))}, "messages: final assistant content cannot end with trailing whitespace"),
    (user(""), "messages.0: user messages must have non-empty content"),
    (user([]), "messages.0: user messages must have non-empty content"),
    (turns(("user", "a"), ("assistant", ""), ("user", "b")), "messages.1: assistant messages must have non-empty content"),
    (user(" \n"), "messages: text content blocks must contain non-whitespace text"),
    (user([{"type": "text", "text": ""}]), "messages: text content blocks must be non-empty"),
    (user([{"type": "text", "text": "\t"}]), "messages: text content blocks must contain non-whitespace text"),
    (user(5), "messages.0.content: Input should be a valid list"),
    (user(["x"]), "messages.0.content.0: Input should be a valid dictionary"),
    (user([{"text": "x"}]), "messages.0.content.0.type: Field required"),
    (user([{"type": "text"}]), "messages.0.content.0.text.text: Field required"),
    (user([{"type": "text", "text": 5}]), "messages.0.content.0.text.text: Input should be a valid string"),
    (user([{**TEXT, "foo": 1}]), "messages.0.content.0.text.foo: Extra inputs are not permitted"),
    (
        user([{"type": "song"}]),
        "messages.0.content.0: Input tag 'song' found using 'type' does not match any of the expected tags: 'document', "
        "'image', 'redacted_thinking', 'search_result', 'text', 'thinking', 'tool_result', 'tool_use'",
    ),
    (
        user([{"type": "thinking", "thinking": "", "signature": "", "cache_control": EPHEMERAL}]),
        "messages.0.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    # tool calls and their results
    (
        turns(("user", "a"), ("assistant", [CALL]), ("user", "b")),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t. Each `tool_use` block "
        "must have a corresponding `tool_result` block in the next message.",
    ),
    (
        user([RESULT]),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t. Each `tool_result` block must "
        "have a corresponding `tool_use` block in the previous message.",
    ),
    # system
    ({"system": 5}, "system: Input should be a valid list"),
    ({"system": "  "}, "system: text content blocks must contain non-whitespace text"),
    ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-empty"),
    ({"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
    # cache_control
    (cached("5m", "5m", "5m", "5m", "5m"), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    (
        {"system": [{**TEXT, "cache_control": EPHEMERAL}], "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that "
        "blocks are processed in the following order: `tools`, `system`, `messages`.",
    ),
    (
        {**cached("5m"), "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        "cache_control: the last block already has a cache_control with a different ttl",
    ),
    ({**four(), "cache_control": EPHEMERAL}, "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    (cached("2h"), "messages.0.content.0.cache_control.ephemeral.ttl: Input should be '5m' or '1h'"),
    (
        {"system": [{**TEXT, "cache_control": {"type": "ephemeral", "scope": "x"}}]},
        "system.0.cache_control.ephemeral.scope: Extra inputs are not permitted",
    ),
    (
        cached(None, "1h"),
        "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
        "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    ),
    (
        user([{"type": "text", "text": "", "cache_control": EPHEMERAL}]),
        "messages.0.content.0.text: cache_control cannot be set for empty text blocks",
    ),
    ({"system": [{"type": "text", "text": "", "cache_control": EPHEMERAL}]}, "system.0: cache_control cannot be set for empty text blocks"),
    # stop sequences
    ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    ({"stop_sequences": [5]}, "stop_sequences.0: Input should be a valid string"),
    ({"stop_sequences": ["\n"]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    # thinking
    ({"thinking": {}}, "thinking.type: Field required"),
    (
        {"thinking": {"type": "deep"}},
        "thinking: Input tag 'deep' found using 'type' does not match any of the expected tags: 'adaptive', 'enabled', "
        "'disabled', 'between_tools'",
    ),
    ({"thinking": {"type": "disabled", "display": "omitted"}}, "thinking.disabled.display: Extra inputs are not permitted"),
    ({"thinking": {"type": "adaptive", "display": "loud"}}, "thinking.adaptive.display: Input should be 'summarized' or 'omitted'"),
    ({**HAIKU, "thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    (
        {**HAIKU, "thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    ({**HAIKU, "max_tokens": 1024, "thinking": {"type": "enabled", "budget_tokens": 1024}}, LONG_BUDGET),
    ({"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}, ENABLED),
    ({**HAIKU, "thinking": {"type": "adaptive"}}, "adaptive thinking is not supported on this model"),
    ({"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive".'),
    (
        {"model": "claude-sonnet-5-5", "thinking": {"type": "disabled"}},
        '"thinking.type.disabled" is not supported for this model. Use "thinking.type.between_tools".',
    ),
    (
        {"model": "claude-opus-5", "thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
        "\"thinking.type.disabled\" is not supported with effort level 'max' on this model.",
    ),
    (
        {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}, "output_config": {"effort": "xhigh"}},
        "\"thinking.type.between_tools\" is not supported with effort level 'xhigh' on this model.",
    ),
    # effort
    ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"),
    ({"output_config": {"foo": 1}}, "output_config.foo: Extra inputs are not permitted"),
    ({**HAIKU, "inference_geo": "us"}, "'claude-haiku-4-5' does not support the `inference_geo` parameter."),
    ({**HAIKU, "output_config": {"effort": "low"}}, "This model does not support the effort parameter."),
    (
        {**OPUS_46, "output_config": {"effort": "xhigh"}},
        "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    ),
    # output format
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema: Field required"),
    ({"output_config": {"format": {"type": "xml", "schema": {}}}}, "output_config.format.type: Input should be 'json_schema'"),
    (schema({"type": "object"}), "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"),
    (
        schema({"type": "object", "additionalProperties": False, "properties": {"n": {"type": "integer", "minimum": 1}}}),
        "output_config.format.schema: For 'integer' type, property 'minimum' is not supported",
    ),
    (schema({"$ref": "https://x.example/y"}), "output_config.format.schema: External $ref is not supported: https://x.example/y"),
    # tools
    ({"tools": [{"name": "look"}]}, "tools.0.custom.input_schema: Field required"),
    ({"tools": [{**TOOL, "name": "look up"}]}, "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
    ({"tools": [{**TOOL, "color": 1}]}, "tools.0.custom.color: Extra inputs are not permitted"),
    ({"tools": [{**TOOL, "input_schema": {}}]}, "tools.0.custom.input_schema.type: Field required"),
    ({"tools": [{**TOOL, "input_schema": {"type": "array"}}]}, "tools.0.custom.input_schema.type: Input should be 'object'"),
    ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    ({"tools": [{**SEARCH, "name": "search"}]}, "tools.0.web_search_20260318.name: Input should be 'web_search'"),
    (
        {"tools": [{**SEARCH, "allowed_domains": ["a.example"], "blocked_domains": ["b.example"]}]},
        "tools.0.web_search_20260318: Only one of `allowed_domains` and `blocked_domains` may be set",
    ),
    ({**OPUS_46, "tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.tool.name: Field required"),
    # container, diagnostics, speed
    ({"container": 5}, "container: Input should be a valid dictionary"),
    ({"container": {"skills": [{"type": "anthropic", "skill_id": "pptx"}]}}, "container.skills: skills require the code execution tool in `tools`"),
    ({"container": {"skills": [{"type": "own", "skill_id": "x"}]}}, "container.skills.0.type: Input should be 'anthropic' or 'custom'"),
    ({"container": {"skills": [{}] * 9}}, "container.skills: List should have at most 8 items after validation, not 9"),
    ({"diagnostics": {"previous": None}}, "diagnostics.previous: Extra inputs are not permitted"),
    ({"diagnostics": {"previous_message_id": 5}}, "diagnostics.previous_message_id: Input should be a valid string"),
    ({"inference_geo": 5}, "inference_geo: Input should be a valid string"),
    ({**OPUS_46, "speed": "fast"}, "'claude-opus-4-6' does not support the `speed` parameter."),
    ({"tool_choice": {"type": "auto"}}, "tool_choice: tool_choice may only be specified while providing tools."),
    ({"tools": [TOOL], "tool_choice": {"type": "any"}}, 'tool_choice: type "any" is not supported on this model. Use "auto".'),
    ({**OPUS_46, "tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "Tool 'x' not found in provided tools"),
    (
        {**HAIKU, "max_tokens": 2000, "tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), REJECTED)
def test_a_wrong_body_is_rejected_in_the_api_s_words(change, message):
    with pytest.raises(Rejected) as caught:
        check_create({**GOOD, **change}, version=NOW)
    assert caught.value.message == message
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")


@pytest.mark.parametrize("field", ["model", "messages", "max_tokens"])
def test_required_fields(field):
    body = {name: value for name, value in GOOD.items() if name != field}
    with pytest.raises(Rejected, match=f"^{field}: Field required$"):
        check_create(body, version=NOW)


ACCEPTED = [
    {},
    {"max_tokens": 0},
    {"max_tokens": 128_000},
    {"model": "claude-next-9"},
    {"model": "claude-next-9", "thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
    {"system": ""},
    {"system": "Be brief"},
    {"system": [{**TEXT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}], **cached("5m", None, "5m")},
    {"cache_control": EPHEMERAL},
    {**cached("5m", "5m", "5m", "5m"), "cache_control": EPHEMERAL},
    {"metadata": {"user_id": None}},
    {"service_tier": "standard_only"},
    {"stop_sequences": ["END"], "stream": True},
    {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "xhigh"}},
    {**HAIKU, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}},
    {**OPUS_46, "thinking": {"type": "adaptive"}},
    {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}},
    {"model": "claude-opus-5", "thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
    {"model": "claude-opus-4-5", "output_config": {"effort": "high"}},
    {**HAIKU, **turns(("user", "a"), ("assistant", "{"))},
    turns(("user", "a"), ("assistant", "b"), ("user", "c"), ("system", "d")),
    turns(("user", "a"), ("user", "b")),
    {**schema({"type": "object", "additionalProperties": False, "properties": {"n": {"$ref": "#/$defs/n"}}})},
    {"tools": [TOOL, SEARCH], "tool_choice": {"type": "auto"}},
    {"tools": [{"type": "bash_20250124", "name": "bash"}, {**SEARCH, "max_uses": 2, "cache_control": EPHEMERAL}]},
    {"container": "container_1", "diagnostics": {"previous_message_id": None}, "speed": "fast", "inference_geo": "us"},
    turns(("user", "a"), ("assistant", [TEXT, PAUSED])),
    {**OPUS_46, "tools": [TOOL], "tool_choice": {"type": "tool", "name": "look"}},
    user([{"type": "document", "source": {"type": "text", "data": "x", "media_type": "text/plain"}, "title": "t"}, TEXT]),
    turns(("user", "a"), ("assistant", [CALL]), ("user", [{"type": "tool_result", "tool_use_id": "t", "content": [TEXT]}])),
    turns(("user", "a"), ("assistant", "b"), ("assistant", [CALL]), ("user", [RESULT]), ("user", "c")),
    turns(("user", "a"), ("assistant", "b"), ("user", "c"), ("system", "d"), ("assistant", "e"), ("user", "f")),
]  # fmt: skip


@pytest.mark.parametrize("change", ACCEPTED)
def test_a_right_body_passes_and_can_be_answered(change):
    body = {**GOOD, **change}
    check_create(body, version=NOW)
    answer = messages.reply(messages.read(body))
    assert answer["usage"]["output_tokens"] <= body["max_tokens"]


def test_sampling_passes_under_the_old_version_on_old_models_only():
    old = {**GOOD, **HAIKU, "temperature": 0.2, "top_k": 5}
    check_create(old, version="2023-06-01")
    with pytest.raises(Rejected, match=r"^`temperature` is deprecated for this model\.$"):
        check_create({**GOOD, "temperature": 0.2}, version="2023-06-01")


def test_beta_fields_need_a_beta_header():
    check_create({**GOOD, "fallbacks": "default"}, version=NOW, betas=frozenset({"server-side-fallback-2026-07-01"}))
    with pytest.raises(Rejected, match=r"^xyz: Extra inputs are not permitted$"):
        check_create({**GOOD, "xyz": 1}, version=NOW, betas=frozenset({"server-side-fallback-2026-07-01"}))


def test_another_vendor_s_model_is_not_found():
    with pytest.raises(Rejected) as caught:
        check_create({**GOOD, "model": "gpt-9"}, version=NOW)
    assert (caught.value.status, caught.value.type, caught.value.message) == (404, "not_found_error", "model: gpt-9")


def test_count_tokens_wants_no_max_tokens():
    check_count({name: GOOD[name] for name in ("model", "messages")}, version=NOW)
    with pytest.raises(Rejected, match=r"^max_tokens: Extra inputs are not permitted$"):
        check_count(GOOD, version=NOW)


def test_the_version_header():
    assert check_version("2023-06-01") == "2023-06-01"
    with pytest.raises(Rejected, match=r"^anthropic-version: header is required$"):
        check_version(None)
    with pytest.raises(Rejected, match=r'^anthropic-version: "latest" is not a valid version$'):
        check_version("latest")


@pytest.mark.parametrize("raw", [b"", b"{", b"nonsense", b"\xff", b'{"a": 1} x'])
def test_what_is_not_json(raw):
    with pytest.raises(Rejected, match=r"^The request body is not valid JSON: "):
        parse(raw)


def test_json_that_is_no_object():
    with pytest.raises(Rejected, match=r"^Input should be a valid dictionary$"):
        parse(b"[]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
KEYS = st.sampled_from(
    [
        "model",
        "max_tokens",
        "messages",
        "system",
        "thinking",
        "output_config",
        "tools",
        "tool_choice",
        "stop_sequences",
        "metadata",
        "cache_control",
        "fallbacks",
        "context_management",
        "compaction",
        "mcp_servers",
        "edits",
        "citations",
        "container",
        "skills",
        "diagnostics",
        "media_type",
        "data",
        "url",
        "id",
        "input",
        "role",
        "content",
        "type",
        "text",
        "source",
        "input_schema",
        "name",
        "schema",
        "format",
        "effort",
        "display",
        "budget_tokens",
        "properties",
        "items",
        "anyOf",
        "enum",
        "tool_use_id",
        "$ref",
    ]
)
WORDS = st.sampled_from(
    [
        "user",
        "assistant",
        "system",
        "text",
        "image",
        "document",
        "thinking",
        "tool_use",
        "tool_result",
        "compaction",
        "server_tool_use",
        "search_result",
        "web_search_20260318",
        "mcp_toolset",
        "compact_20260112",
        "summarize",
        "adaptive",
        "enabled",
        "json_schema",
        "ephemeral",
        "any",
        "tool",
        "object",
        "array",
        "string",
        "claude-opus-5-5",
        "claude-haiku-4-5",
        "#/properties",
    ]
)
API_JSON = st.recursive(
    JSON | WORDS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)


def rejection(body):
    try:
        check_create(body, version=NOW, betas=KNOWN)
    except Rejected as rejected:
        return rejected
    return None


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, API_JSON, max_size=6), st.sets(st.sampled_from(sorted(GOOD))))
def test_hostile_bodies_are_rejected_or_answered(change, keep):
    body = parse(orjson.dumps({**change, **{name: copy.deepcopy(GOOD[name]) for name in keep}}))
    rejected = rejection(body)
    if rejected is not None:
        error = {"type": rejected.type, "message": rejected.message}
        assert orjson.loads(rejected.body("r")) == {"type": "error", "error": error, "request_id": "r"}
        return
    asked = messages.read(body)
    answer = messages.reply(asked)
    assert answer["usage"]["output_tokens"] <= max(0, body["max_tokens"])
    assert positions(body)[-1].tokens == asked.input_tokens
