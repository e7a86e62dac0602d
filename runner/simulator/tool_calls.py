"""The tools a reply uses: a call of a client tool, and what server tools and MCP servers did along the way.

When: a client tool is called where tool_choice forces one, where the marker `tool` asks for it, or where the prompt
names it; never right after tool results. Every server tool is used once in each reply, `web_fetch` only where the
prompt holds a URL, and every MCP server once; `tool_choice: none` stops all. All of that is the simulator's own choice.
Shapes: `types/server_tool_use_block.py` and the result blocks, `types/beta/beta_mcp_tool_use_block.py` of SDK 2.12.0.
"""

from __future__ import annotations

import random
import re
from typing import Any

import orjson

from runner.simulator.asked import Asked
from runner.simulator.limits import timestamp
from runner.simulator.sample import sample
from runner.simulator.tokens import text_tokens
from runner.simulator.validate_tools import SERVER_NAMES

DIRECT = {"type": "direct"}
CONTAINER_SECONDS = 30 * 24 * 3600
_URL = re.compile(r"https://[^\s\"'<>)\]]+")
Block = dict[str, Any]


def client_call(asked: Asked, rng: random.Random) -> Block | None:
    """The tool_use block this reply ends with."""
    tool = _wanted_tool(asked)
    if tool is None:
        return None
    value = sample(tool.get("input_schema", {"type": "object"}), rng)
    call = {"type": "tool_use", "id": f"toolu_sim_{asked.hash[:20]}", "name": tool["name"], "input": value}
    return {**call, "caller": DIRECT}


def _wanted_tool(asked: Asked) -> Block | None:
    tools: list[Block] = asked.body.get("tools") or []
    tools = [tool for tool in tools if tool.get("type") not in SERVER_NAMES and "name" in tool]
    choice = asked.body.get("tool_choice") or {}
    kind = choice.get("type", "auto")
    if not tools or kind == "none":
        return None
    if kind == "any":
        return tools[0]
    if kind == "tool":
        return next((tool for tool in tools if tool["name"] == choice.get("name")), None)
    if _has_results(asked.body):
        return None
    if "tool" in asked.markers:
        return next((tool for tool in tools if tool["name"] == asked.markers["tool"]), tools[0])
    return next((tool for tool in tools if _mentions(asked.text, tool["name"])), None)


def _mentions(text: str, name: str) -> bool:
    return name in text and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def _has_results(body: Block) -> bool:
    content = body["messages"][-1]["content"]
    return not isinstance(content, str) and any(block["type"] == "tool_result" for block in content)


def server_steps(asked: Asked) -> list[Block]:
    """The server tools' and MCP servers' blocks, each use followed by its result."""
    body = asked.body
    if (body.get("tool_choice") or {}).get("type") == "none" or _has_results(body):
        return []
    steps: list[Block] = []
    for tool in body.get("tools") or ():
        name = SERVER_NAMES.get(str(tool.get("type")))
        if name in ("web_search", "web_fetch", "code_execution"):
            steps += _server_step(asked, tool, name, len(steps))
    for server in body.get("mcp_servers") or ():
        steps += _mcp_step(asked, server["name"], len(steps))
    return steps


def open_call(asked: Asked) -> Block:
    """The server tool call that a paused turn ends with."""
    named = (SERVER_NAMES.get(str(tool.get("type"))) for tool in asked.body.get("tools") or ())
    name = next((name for name in named if name in ("web_search", "web_fetch")), "web_search")
    return _use(asked, name, _input(name, asked), 900 + paused_turns(asked.body))


def paused_turns(body: Block) -> int:
    """How often the turn that this request continues was paused already."""
    count = 0
    for message in reversed(body["messages"]):
        if message["role"] != "assistant":
            break
        content = [] if isinstance(message["content"], str) else message["content"]
        count += sum(is_open_call(block) for block in content)
    return count


def is_open_call(block: Block) -> bool:
    return block["type"] == "server_tool_use" and str(block.get("id", "")).startswith("srvtoolu_sim_9")


def continued(asked: Asked) -> list[Block]:
    """The result of the call that the continued turn ended with, [] when this request continues none."""
    last = asked.body["messages"][-1]
    if last["role"] != "assistant" or isinstance(last["content"], str) or not last["content"]:
        return []
    block = last["content"][-1]
    return [_result(asked, str(block.get("name")), block["id"], {})] if is_open_call(block) else []


def _server_step(asked: Asked, tool: Block, name: str, number: int) -> list[Block]:
    if name == "web_fetch" and not _URL.search(asked.text):
        return []
    if name == "code_execution" and tool["type"] != "code_execution_20250522":
        name = "bash_code_execution"
    use = _use(asked, name, _input(name, asked), number)
    return [use, _result(asked, name, use["id"], tool)]


def _use(asked: Asked, name: str, value: Block, number: int) -> Block:
    id = f"srvtoolu_sim_{number:03d}{asked.hash[:16]}"
    return {"type": "server_tool_use", "id": id, "name": name, "input": value, "caller": DIRECT}


def _input(name: str, asked: Asked) -> Block:
    if name == "web_search":
        return {"query": asked.text[:80]}
    if name == "web_fetch":
        found = _URL.search(asked.text)
        return {"url": found.group() if found else "https://example.com/"}
    return {"code": "print(6 * 7)"} if name == "code_execution" else {"command": "echo 42"}


def _result(asked: Asked, name: str, id: str, tool: Block) -> Block:
    if name == "web_search":
        domain = (tool.get("allowed_domains") or ["example.com"])[0]
        results = [_web_result(f"https://{domain}/{number}", number) for number in (1, 2)]
        return {"type": "web_search_tool_result", "tool_use_id": id, "content": results, "caller": DIRECT}
    if name == "web_fetch":
        url = _input(name, asked)["url"]
        source = {"type": "text", "media_type": "text/plain", "data": "A simulated page."}
        page = {"type": "document", "source": source, "title": "A simulated page", "citations": None}
        content = {"type": "web_fetch_result", "url": url, "content": page, "retrieved_at": timestamp(asked.at)}
        return {"type": "web_fetch_tool_result", "tool_use_id": id, "content": content, "caller": DIRECT}
    run = {"type": f"{name}_result", "stdout": "42\n", "stderr": "", "return_code": 0, "content": []}
    return {"type": f"{name}_tool_result", "tool_use_id": id, "content": run}


def _web_result(url: str, number: int) -> Block:
    title = f"Simulated result {number}"
    return {"type": "web_search_result", "url": url, "title": title, "encrypted_content": "sim", "page_age": None}


def _mcp_step(asked: Asked, server: str, number: int) -> list[Block]:
    id = f"mcptoolu_sim_{number:03d}{asked.hash[:16]}"
    tools: list[Block] = asked.body.get("tools") or []
    configs = next((tool.get("configs") for tool in tools if tool.get("mcp_server_name") == server), None)
    name = next(iter(configs or {"search": {}}))
    use = {"type": "mcp_tool_use", "id": id, "name": name, "server_name": server, "input": {"query": asked.text[:80]}}
    text = {"type": "text", "text": f"A simulated result of {server}.", "citations": None}
    return [use, {"type": "mcp_tool_result", "tool_use_id": id, "is_error": False, "content": [text]}]


def usage_of(blocks: list[Block]) -> dict[str, int] | None:
    """`usage.server_tool_use` (`types/server_tool_usage.py`): only the web tools are counted."""
    names = [block.get("name") for block in blocks if block["type"] == "server_tool_use"]
    counted = {f"{name}_requests": names.count(name) for name in ("web_search", "web_fetch")}
    return counted if any(counted.values()) else None


def output_tokens(blocks: list[Block]) -> int:
    """What the model wrote to call these tools; results are input, and not counted again (a simplification)."""
    uses = [block for block in blocks if "input" in block]
    return sum(text_tokens(orjson.dumps(block["input"]).decode()) for block in uses)


def container(asked: Asked) -> Block | None:
    """`container` of the reply: there when one was asked for or code may run (`types/container.py`)."""
    wanted = asked.body.get("container")
    runs = any(str(tool.get("type")).startswith("code_execution") for tool in asked.body.get("tools") or ())
    if not (wanted or runs):
        return None
    given: Block = {"id": wanted} if isinstance(wanted, str) else wanted or {}
    skills = [{**skill, "version": _version(skill)} for skill in given.get("skills") or ()]
    return {
        "id": given.get("id") or f"container_sim_{asked.hash[:16]}",
        "expires_at": timestamp(asked.at + CONTAINER_SECONDS),
        "skills": skills or None,
    }


def _version(skill: Block) -> str:
    version = skill.get("version", "latest")
    return "20251013" if version == "latest" else str(version)
