"""Rules about tools, and what a model lets one do with them.

API facts: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview and .../tool-use/implement-tool-use
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from runner.errors import Problem
from runner.models.rules import rule_for
from runner.spec.lint_facts import CellFacts
from runner.spec.near import listed, near_names
from runner.spec.tool_types import KNOWN_TYPES, MCP_TOOLSET, is_dated, takes_max_uses

_FORCED: Final = ("any", "tool")


def tools_have_own_names(facts: CellFacts) -> Iterator[Problem]:
    """The API refuses two tools of one name."""
    seen: set[str] = set()
    for i, tool in enumerate(_tools(facts)):
        name = tool.get("name")
        if isinstance(name, str) and name in seen:
            step = "rename one of them, or remove it"
            yield facts.report("duplicate-tool", f"two tools are named `{name}`", "tools", i, "name", next=step)
        seen.add(str(name))


def tool_types_are_known(facts: CellFacts) -> Iterator[Problem]:
    """A type without its date is a slip; a dated one may be newer than this program."""
    for i, tool in enumerate(_tools(facts)):
        kind = tool.get("type", "custom")
        if kind in (*KNOWN_TYPES, "custom"):
            continue
        severity: Literal["error", "warning"] = "warning" if is_dated(kind) else "error"
        sent = "; it is sent as it is" if severity == "warning" else ""
        what = f"`{kind}` is not a tool type that promptrun knows{sent}"
        yield facts.report("tool-type", what, "tools", i, "type", next=_type_step(kind), severity=severity)


def server_tools_are_bounded(facts: CellFacts) -> Iterator[Problem]:
    """A search is paid each time, and its results are paid as input."""
    for i, tool in enumerate(_tools(facts)):
        if takes_max_uses(tool) and tool.get("max_uses") is None:
            what = f"nothing bounds how often one request uses `{tool.get('name', tool['type'])}`, and each use is paid"
            yield facts.report("unbounded-tool", what, "tools", i, next="add `max_uses: 3`", severity="warning")


def tool_choice_has_tools(facts: CellFacts) -> Iterator[Problem]:
    choice = facts.literal("tool_choice")
    if not isinstance(choice, Mapping) or "tools" in facts.broken:
        return
    if "tools" not in facts.fields:
        step = "add them, or remove it"
        yield facts.report("tool-choice", "there are no `tools` to choose from", "tool_choice", next=step)
        return
    names = [str(tool["name"]) for tool in _tools(facts) if "name" in tool]
    named = choice.get("name")
    if choice["type"] == "tool" and named not in names:
        step = f"the tools are {listed(names)}" if names else "add it to `tools`"
        yield facts.report("tool-choice", f"no tool is named `{named}`", "tool_choice", "name", next=step)
    if choice["type"] != "tool" and named is not None:
        step = "write `type: tool`, or remove the name"
        what = f"`name` has no meaning with `type: {choice['type']}`"
        yield facts.report("tool-choice", what, "tool_choice", "name", next=step)


def forced_tools_accepted(facts: CellFacts) -> Iterator[Problem]:
    choice, model = facts.literal("tool_choice"), facts.literal("model")
    if not isinstance(choice, Mapping) or choice["type"] not in _FORCED:
        return
    step = "write `type: auto` and ask for the call in the prompt, or use `output.schema` to get JSON"
    rules = rule_for(model) if isinstance(model, str) else None
    if rules is not None and rules.forced_tools is False:
        what = f"`{model}` cannot be forced to use a tool (`{choice['type']}`)"
        yield facts.report("forced-tool-refused", what, "tool_choice", "type", next=step)
    thinking = facts.literal("thinking")
    if isinstance(thinking, Mapping) and thinking.get("type") == "enabled":
        what = "a tool cannot be forced while thinking has a budget"
        yield facts.report("forced-tool-refused", what, "tool_choice", "type", next="turn thinking off, or " + step)


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (
    tools_have_own_names,
    tool_types_are_known,
    server_tools_are_bounded,
    tool_choice_has_tools,
    forced_tools_accepted,
)


def _tools(facts: CellFacts) -> list[Mapping[str, Any]]:
    tools = facts.literal("tools")
    return tools if isinstance(tools, list) else []


def _type_step(kind: str) -> str:
    dated = [known for known in KNOWN_TYPES if known.startswith(f"{kind}_")]
    if dated:
        return f"write its newest version, `{max(dated)}`"
    near = near_names(kind, KNOWN_TYPES, most=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"a tool of your own has no `type`; those of an MCP server have `type: {MCP_TOOLSET}`"
