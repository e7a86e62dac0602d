"""Rules about what a request asks for beside an answer: MCP servers, compaction, a region, speed, system turns.

API facts: https://platform.claude.com/docs/en/agents-and-tools/mcp-connector,
https://platform.claude.com/docs/en/build-with-claude/compaction, .../build-with-claude/fast-mode,
https://platform.claude.com/docs/en/manage-claude/data-residency
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.errors import Problem
from runner.models.rules import ModelRules, rule_for
from runner.spec.lint_facts import CellFacts
from runner.spec.near import did_you_mean
from runner.spec.tool_types import MCP_TOOLSET


def servers_have_toolsets(facts: CellFacts) -> Iterator[Problem]:
    """The API refuses a server whose tools nobody asks for, and a toolset of no server."""
    servers, named = _list(facts, "mcp_servers"), _toolsets(facts)
    names = [server["name"] for server in servers]
    for i, server in enumerate(servers):
        name = server["name"]
        if names.index(name) != i:
            what = f"two servers are named `{name}`"
            yield facts.report("mcp-toolset", what, "mcp_servers", i, "name", next="rename one of them")
        elif name not in named.values() and "tool_configuration" not in server and "tools" not in facts.broken:
            step = f"add `{{type: {MCP_TOOLSET}, mcp_server_name: {name}}}` to `tools`"
            yield facts.report("mcp-toolset", f"no toolset uses the server `{name}`", "mcp_servers", i, next=step)
    if "mcp_servers" in facts.broken:
        return
    for i, name in named.items():
        if name not in names:
            step = did_you_mean(str(name), names, otherwise="add it to `mcp_servers`")
            yield facts.report("mcp-toolset", f"there is no MCP server `{name}`", "tools", i, next=step)


def one_compaction(facts: CellFacts) -> Iterator[Problem]:
    if "compaction" in facts.fields and "context_management" in facts.fields:
        what = "`compaction` asks for a summary and nothing else; the API refuses it beside `context_management`"
        yield facts.report("not-allowed", what, "compaction", next="keep one of them")


def region_accepted(facts: CellFacts) -> Iterator[Problem]:
    rules = _rules(facts)
    if rules is not None and rules.geo is False and "inference_geo" in facts.fields:
        what = f"`{facts.literal('model')}` does not take `inference_geo`"
        yield facts.report("geo-refused", what, "inference_geo", next="remove it, or move to Claude 4.6 or later")


def speed_accepted(facts: CellFacts) -> Iterator[Problem]:
    rules = _rules(facts)
    if rules is not None and rules.fast is False and facts.literal("speed") == "fast":
        yield facts.report("speed-refused", f"`{facts.literal('model')}` has no fast mode", "speed", next="remove it")


def system_turns_accepted(facts: CellFacts) -> Iterator[Problem]:
    """Models before Opus 4.8 answer 400 to a system message inside the conversation."""
    rules = _rules(facts)
    if rules is None or rules.system_turns is not False:
        return
    what = f"`{facts.literal('model')}` takes no system messages inside a conversation"
    step = "say it in the top-level `system`, or in the user's message"
    for name in ("messages", "turns"):
        for i, message in enumerate(_maps(facts, name)):
            if message.get("role") == "system" or message.get("systems"):  # of a turn, they stand right before it
                yield facts.report("system-turn-refused", what, name, message.get("index", i + 1) - 1, next=step)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    servers_have_toolsets,
    one_compaction,
    region_accepted,
    speed_accepted,
    system_turns_accepted,
)


def _rules(facts: CellFacts) -> ModelRules | None:
    model = facts.literal("model")
    return rule_for(model) if isinstance(model, str) else None


def _list(facts: CellFacts, name: str) -> list[Any]:
    value = facts.literal(name)
    return value if isinstance(value, list) else []


def _maps(facts: CellFacts, name: str) -> list[Mapping[str, Any]]:
    """The maps of a list field, templates in them or not."""
    value = facts.fields[name].value if name in facts.fields else None
    return [item if isinstance(item, Mapping) else {} for item in value] if isinstance(value, list) else []


def _toolsets(facts: CellFacts) -> dict[int, Any]:
    """Place in `tools` → the server whose tools it stands for."""
    tools = enumerate(_list(facts, "tools"))
    return {i: tool.get("mcp_server_name") for i, tool in tools if tool.get("type") == MCP_TOOLSET}
