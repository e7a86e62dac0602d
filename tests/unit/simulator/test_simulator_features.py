"""Replies with tools, citations, compaction, fallbacks: shapes against the SDK's types, numbers worked out by hand."""

from __future__ import annotations

import dataclasses

import orjson
import pytest
from anthropic.types.beta import BetaMessage

from runner.simulator import fallback, messages
from runner.simulator.caching import NO_CACHE, CacheUse
from runner.simulator.diagnostics import Diagnostics
from runner.simulator.tokens import input_tokens, text_tokens
from runner.simulator.validate import check_create

GOOD = {"model": "claude-opus-5-5", "max_tokens": 1000}
BETAS = frozenset(
    {"server-side-fallback-2026-07-01", "compact-2026-01-12", "compact-2026-09-04", "mcp-client-2025-11-20"}
)
CUSTOM = {"name": "look_up", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
SEARCH = {"type": "web_search_20260318", "name": "web_search"}
FETCH = {"type": "web_fetch_20260318", "name": "web_fetch"}
CODE = {"type": "code_execution_20260521", "name": "code_execution"}
COMPACT = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
DOCUMENT = {"type": "document", "citations": {"enabled": True}, "title": "Notes"}
SOURCE = {"type": "text", "media_type": "text/plain", "data": "Grass is green. The sky is blue."}


def asked(text="Hello", *before, cache=NO_CACHE, **change):
    body = {**GOOD, "messages": [*before, {"role": "user", "content": text}], **change}
    check_create(body, version="2026-10-21", betas=BETAS)
    return dataclasses.replace(messages.read(body), cache=cache)


def answer(*arguments, **change):
    """A reply that is what the SDK's types say it is."""
    message = messages.reply(asked(*arguments, **change))
    BetaMessage.model_validate(orjson.loads(orjson.dumps(message)))
    return message


def kinds(message):
    return [block["type"] for block in message["content"]]


def test_a_client_tool_is_called_where_the_prompt_names_it():
    message = answer("Please use look_up here.", tools=[CUSTOM])
    assert (kinds(message), message["stop_reason"]) == (["tool_use"], "tool_use")
    assert isinstance(message["content"][0]["input"]["n"], int)
    assert kinds(answer("Please use look_up_all here.", tools=[CUSTOM])) == ["text"]
    assert kinds(answer("Use look_up.", tools=[CUSTOM], tool_choice={"type": "none"})) == ["text"]


def test_a_marker_calls_a_client_tool_and_results_end_it():
    other = {**CUSTOM, "name": "other"}
    assert answer("[[simulate:tool]]", tools=[CUSTOM, other])["content"][0]["name"] == "look_up"
    first = answer("[[simulate:tool=other]]", tools=[CUSTOM, other])
    call = first["content"][0]
    assert call["name"] == "other"
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "42"}
    turns = [{"role": "user", "content": "use look_up"}, {"role": "assistant", "content": first["content"]}]
    assert kinds(answer([result, {"type": "text", "text": "look_up"}], *turns, tools=[CUSTOM, other])) == ["text"]


def test_a_web_search_is_used_counted_and_cited():
    message = answer("What is new?", tools=[{**SEARCH, "allowed_domains": ["news.example"]}])
    assert kinds(message) == ["server_tool_use", "web_search_tool_result", "text", "text"]
    use, result, _, cited = message["content"]
    assert (use["name"], use["input"]) == ("web_search", {"query": "What is new?"})
    assert result["tool_use_id"] == use["id"]
    assert result["content"][0]["url"] == "https://news.example/1"
    assert cited["citations"][0]["type"] == "web_search_result_location"
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}


def test_a_web_fetch_needs_a_url():
    assert kinds(answer("No address", tools=[FETCH])) == ["text"]
    message = answer("Read (https://x.example/a?b=1) now", tools=[FETCH])
    assert kinds(message) == ["server_tool_use", "web_fetch_tool_result", "text"]
    assert message["content"][1]["content"]["url"] == "https://x.example/a?b=1"
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 1}


def test_code_runs_in_a_container_with_its_skills():
    skill = {"type": "anthropic", "skill_id": "pptx"}
    message = answer(tools=[CODE], container={"skills": [skill]})
    assert kinds(message) == ["server_tool_use", "bash_code_execution_tool_result", "text"]
    assert message["container"]["skills"] == [{**skill, "version": "20251013"}]
    old = answer(tools=[{"type": "code_execution_20250522", "name": "code_execution"}], container="container_1")
    assert kinds(old) == ["server_tool_use", "code_execution_tool_result", "text"]
    assert old["container"]["id"] == "container_1"
    assert answer()["container"] is None


def test_mcp_servers_are_used():
    server = {"type": "url", "url": "https://mcp.example", "name": "notes"}
    toolset = {"type": "mcp_toolset", "mcp_server_name": "notes", "configs": {"find": {}}}
    message = answer(mcp_servers=[server], tools=[toolset])
    assert kinds(message) == ["mcp_tool_use", "mcp_tool_result", "text"]
    use, result, _ = message["content"]
    assert (use["server_name"], use["name"], result["tool_use_id"]) == ("notes", "find", use["id"])


def test_tools_never_take_more_than_max_tokens():
    for most in (0, 1, 3, 30):
        message = answer("What is new?", tools=[SEARCH, CODE], max_tokens=most)
        assert message["usage"]["output_tokens"] <= most


def test_a_paused_turn_goes_on_when_it_is_sent_back():
    text, turns, seen = "Work [[simulate:pause=2]]", [], []
    for _ in range(3):
        message = messages.reply(messages.read(conversation(text, turns)))
        seen.append((message["stop_reason"], kinds(message)))
        turns.append({"role": "assistant", "content": message["content"]})
    assert seen == [
        ("pause_turn", ["server_tool_use"]),
        ("pause_turn", ["web_search_tool_result", "server_tool_use"]),
        ("end_turn", ["web_search_tool_result", "text", "text"]),
    ]


def test_a_paused_turn_can_be_sent_back_as_one_message_too():
    text = "Work [[simulate:pause=2]]"
    first = messages.reply(messages.read(conversation(text, [])))["content"]
    second = messages.reply(messages.read(conversation(text, [{"role": "assistant", "content": first}])))["content"]
    both = conversation(text, [{"role": "assistant", "content": first + second}])
    assert messages.reply(messages.read(both))["stop_reason"] == "end_turn"


def conversation(text, turns):
    body = {**GOOD, "messages": [{"role": "user", "content": text}, *turns]}
    check_create(body, version="2026-10-21")
    return body


def test_pausing_for_ever():
    turns = []
    for _ in range(4):
        message = messages.reply(messages.read(conversation("[[simulate:stop=pause_turn]]", turns)))
        assert message["stop_reason"] == "pause_turn"
        turns.append({"role": "assistant", "content": message["content"]})


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {**DOCUMENT, "source": SOURCE},
            {
                "type": "char_location", "start_char_index": 0, "end_char_index": 15, "cited_text": "Grass is green.",
                "document_index": 0, "document_title": "Notes", "file_id": None,
            },
        ),
        (
            {**DOCUMENT, "source": {"type": "content", "content": [{"type": "text", "text": "One block."}]}},
            {
                "type": "content_block_location", "start_block_index": 0, "end_block_index": 1, "document_index": 0,
                "cited_text": "One block.", "document_title": "Notes", "file_id": None,
            },
        ),
        (
            {**DOCUMENT, "source": {"type": "file", "file_id": "file_1"}},
            {
                "type": "page_location", "start_page_number": 1, "end_page_number": 2, "document_index": 0,
                "cited_text": "The simulator does not read this document.", "document_title": "Notes",
                "file_id": "file_1",
            },
        ),
        (
            {
                "type": "search_result", "source": "kb/1", "title": "One", "citations": {"enabled": True},
                "content": [{"type": "text", "text": "A finding."}],
            },
            {
                "type": "search_result_location", "cited_text": "A finding.", "search_result_index": 0,
                "source": "kb/1", "title": "One", "start_block_index": 0, "end_block_index": 1,
            },
        ),
    ],
)  # fmt: skip
def test_a_document_is_cited_where_citations_are_on(block, expected):
    message = answer([block, {"type": "text", "text": "What colour?"}])
    assert [part["citations"] for part in message["content"]] == [None, [expected]]
    assert message["content"][1]["text"] == f" {expected['cited_text']}"
    silent = {**block, "citations": {"enabled": False}}
    assert [part["citations"] for part in answer([silent, {"type": "text", "text": "?"}])["content"]] == [None]


def test_an_exact_answer_is_cited_as_it_is():
    message = answer([{**DOCUMENT, "source": SOURCE}, {"type": "text", "text": "[[simulate:text=green]]"}])
    assert [(part["text"], len(part["citations"])) for part in message["content"]] == [("green", 1)]


def test_thinking_can_eat_all_of_max_tokens():
    message = answer("[[simulate:thinking=90]]", thinking={"type": "adaptive"}, max_tokens=50)
    assert (kinds(message), message["stop_reason"]) == (["thinking"], "max_tokens")
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 50}


# compaction


def test_the_edit_compacts_beyond_its_trigger_only():
    trigger = {"type": "input_tokens", "value": 50_000}
    edit = {"context_management": {"edits": [{"type": "compact_20260112", "trigger": trigger}]}}
    assert kinds(answer("x" * 4 * 49_996, **edit)) == ["text"]
    assert kinds(answer("x" * 4 * 49_997, **edit)) == ["compaction", "text"]
    assert kinds(answer("x" * 4 * 149_996, **COMPACT)) == ["text"]
    assert kinds(answer("x" * 4 * 149_997, **COMPACT)) == ["compaction", "text"]


def test_a_compaction_s_tokens_stand_in_the_iterations_alone():
    cache = CacheUse(read=4, written_5m=2)
    message = answer("Hi [[simulate:compact]]", system="y" * 40, cache=cache, **COMPACT)
    summary, text = message["content"]
    first, second = message["usage"]["iterations"]
    assert (first["type"], second["type"], second["model"]) == ("compaction", "message", "claude-opus-5-5")
    assert (first["input_tokens"], first["cache_read_input_tokens"], first["cache_creation_input_tokens"]) == (16, 4, 2)
    assert first["output_tokens"] == text_tokens(summary["content"])
    assert second["output_tokens"] == message["usage"]["output_tokens"] == text_tokens(text["text"])
    assert second["input_tokens"] == message["usage"]["input_tokens"] == 13 + text_tokens(summary["content"]) + 6
    assert message["usage"]["cache_read_input_tokens"] == 0
    assert message["context_management"] == {"applied_edits": []}


def test_a_compaction_can_end_the_turn_which_then_goes_on():
    edit = {"context_management": {"edits": [{"type": "compact_20260112", "pause_after_compaction": True}]}}
    message = answer("[[simulate:compact]]", **edit)
    assert (kinds(message), message["stop_reason"]) == (["compaction"], "compaction")
    turns = [{"role": "assistant", "content": message["content"]}]
    assert messages.reply(messages.read(conversation("[[simulate:compact]]", turns)))["stop_reason"] == "end_turn"


def test_compaction_on_request_is_a_signed_summary_that_replaces_what_it_sums_up():
    before = [{"role": "user", "content": "a" * 4000}, {"role": "assistant", "content": "b"}]
    message = answer("c", *before, compaction={"type": "summarize"})
    (summary,) = message["content"]
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("compaction", 0)
    assert summary["signature"].startswith("sim_")
    assert message["usage"]["iterations"][0]["input_tokens"] == 1011
    body = {**GOOD, "messages": [{"role": "assistant", "content": [summary]}, {"role": "user", "content": "d"}]}
    check_create(body, version="2026-10-21")
    assert input_tokens(body) == 3 + text_tokens(summary["content"]) + 3 + 1


def test_what_was_compacted_costs_nothing():
    summary = {"type": "compaction", "content": "s" * 40}
    turns = [
        {"role": "user", "content": "x" * 4000},
        {"role": "assistant", "content": [{"type": "text", "text": "y" * 400}, summary]},
        {"role": "user", "content": "z" * 8},
    ]
    assert input_tokens({"messages": turns}) == 3 + 10 + 3 + 2
    empty = [turns[0], {"role": "assistant", "content": [{**summary, "content": None}]}, turns[2]]
    assert input_tokens({"messages": empty}) == 3 + 1000 + 3 + 1 + 3 + 2


# fallbacks


def declined(text, *targets, **change):
    chosen = asked(text, fallbacks=[{"model": target} for target in targets] or "default", **change)
    message = fallback.served(chosen, messages.read)
    BetaMessage.model_validate(orjson.loads(orjson.dumps(message)))
    return message


def test_a_declined_request_is_answered_by_its_fallback():
    message = declined("[[simulate:refusal]] [[simulate:category=bio]]", "claude-opus-4-8")
    assert message["content"][0] == {
        "type": "fallback",
        "from": {"model": "claude-opus-5-5"},
        "to": {"model": "claude-opus-4-8"},
        "trigger": {"type": "refusal", "category": "bio"},
    }
    assert message["content"][1]["text"].startswith("[claude-opus-4-8] ")
    assert (message["model"], message["stop_reason"], message["stop_details"]) == ("claude-opus-4-8", "end_turn", None)
    first, second = message["usage"]["iterations"]
    assert (first["type"], first["model"], first["output_tokens"]) == ("message", "claude-opus-5-5", 0)
    assert (second["type"], second["model"]) == ("fallback_message", "claude-opus-4-8")
    assert second["output_tokens"] == message["usage"]["output_tokens"] > 0


def test_named_models_refuse_one_after_the_other():
    text = "[[simulate:refusal=claude-opus-5-5,claude-opus-5]]"
    message = declined(text, "claude-opus-5", "claude-sonnet-5")
    hops = [(block["from"]["model"], block["to"]["model"]) for block in message["content"][:2]]
    assert hops == [("claude-opus-5-5", "claude-opus-5"), ("claude-opus-5", "claude-sonnet-5")]
    assert [entry["type"] for entry in message["usage"]["iterations"]] == ["message", "message", "fallback_message"]


def test_a_chain_that_refuses_whole_ends_in_a_refusal():
    message = declined("[[simulate:refusal=all]]", "claude-opus-4-8", "claude-opus-5")
    assert (message["model"], message["stop_reason"]) == ("claude-opus-5", "refusal")
    assert kinds(message) == ["fallback", "fallback"]
    assert [entry["output_tokens"] for entry in message["usage"]["iterations"]] == [0, 0, 0]


def test_a_default_fallback_needs_a_model_that_has_one():
    assert declined("[[simulate:refusal]]")["model"] == "claude-opus-4-8"
    alone = declined("[[simulate:refusal]]", model="claude-sonnet-5")
    assert (alone["model"], alone["stop_reason"], alone["content"]) == ("claude-sonnet-5", "refusal", [])


def test_a_fallback_gets_the_request_as_it_can_take_it():
    settings = {"thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}, "speed": "standard"}
    text = "[[simulate:refusal]][[simulate:body]]"
    served = declined(text, "claude-opus-4-8", model="claude-sonnet-5-5", max_tokens=5000, **settings)
    body = orjson.loads(served["content"][1]["text"])
    assert body["thinking"] == {"type": "disabled"}
    assert body["output_config"] == {"effort": "high"}
    assert not {"fallbacks", "speed"} & body.keys()
    high = declined(text, "claude-opus-4-6", max_tokens=5000, output_config={"effort": "xhigh"})
    assert "output_config" not in orjson.loads(high["content"][1]["text"])


# diagnostics


def diagnosed(before, after, read=0):
    """The reason the second request gets, and the first one's diagnostics."""
    diagnostics = Diagnostics()
    first = asked("a", cache=CacheUse(written_5m=500), diagnostics={"previous_message_id": None}, **before)
    reply = messages.reply(first)
    assert diagnostics.of(first, reply) is None
    second = asked(
        *after.pop("turns", ["a"]), cache=CacheUse(read=read), diagnostics={"previous_message_id": reply["id"]}, **after
    )
    found = diagnostics.of(second, messages.reply(second))
    return found and found["cache_miss_reason"]


TURNS = ["b", {"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({}, {"model": "claude-opus-5"}, {"type": "model_changed", "cache_missed_input_tokens": 500}),
        ({}, {"speed": "fast"}, {"type": "model_changed", "cache_missed_input_tokens": 500}),
        ({"system": "x"}, {"system": "y"}, {"type": "system_changed", "cache_missed_input_tokens": 500}),
        ({}, {"tools": [CUSTOM]}, {"type": "tools_changed", "cache_missed_input_tokens": 500}),
        ({}, {"turns": ["b"]}, {"type": "messages_changed", "cache_missed_input_tokens": 500}),
        ({}, {"thinking": {"type": "adaptive"}}, {"type": "unavailable"}),
        ({}, {"turns": TURNS}, None),
        ({}, {"cache_control": {"type": "ephemeral"}, "turns": TURNS}, None),
    ],
)
def test_why_a_prefix_was_not_reused(before, after, reason):
    assert diagnosed(before, dict(after)) == reason


def test_an_unknown_previous_message():
    chosen = asked(diagnostics={"previous_message_id": "msg_x"})
    found = Diagnostics().of(chosen, messages.reply(chosen))
    assert found == {"cache_miss_reason": {"type": "previous_message_not_found"}}
    plain = asked()
    assert Diagnostics().of(plain, messages.reply(plain)) is None
