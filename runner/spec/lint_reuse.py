"""Rules about reading a changing world: an answer of last month may be wrong today, so the author says what he wants.

Web tools and files behind URLs need an explicit `run.reuse`; MCP servers, which may or may not read what changes, are
asked about in a warning. Code execution reads only what the request holds. A URL that a row brings along is seen when
its request is rendered (`prompts/media.py`).
https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool, …/web-fetch-tool
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from runner.errors import Problem
from runner.spec.lint_facts import CellFacts
from runner.spec.lint_media import attached_items

UNSAID: Final = "reuse-unsaid"
SAY: Final = "write `run: {reuse: false}` to ask anew in every run, or `{reuse: {max_age: 1d}}`, or `{reuse: true}`"
_NOTHING_SAYS: Final = "nothing says whether earlier answers still serve"
BEHIND_URL: Final = f"what stands behind a URL may change, and {_NOTHING_SAYS}"
_WEB: Final = ("web_search_", "web_fetch_")


def web_tools_say_reuse(facts: CellFacts) -> Iterator[Problem]:
    tools = facts.literal("tools") or ()
    for i, tool in enumerate(tools if _unsaid(facts) else ()):
        if str(tool.get("type", "")).startswith(_WEB):
            what = f"`{tool.get('name', tool['type'])}` reads a web that changes, and {_NOTHING_SAYS}"
            yield facts.report(UNSAID, what, "tools", i, next=SAY)
            return


def urls_say_reuse(facts: CellFacts) -> Iterator[Problem]:
    for name, place, item in attached_items(facts) if _unsaid(facts) else ():
        if "url" in item:
            yield facts.report(UNSAID, BEHIND_URL, name, *place, next=SAY)
            return


def servers_say_reuse(facts: CellFacts) -> Iterator[Problem]:
    servers = facts.literal("mcp_servers") or ()
    for i, server in enumerate(servers if _unsaid(facts) else ()):
        what = f"the server `{server.get('name')}` may read what changes, and {_NOTHING_SAYS}"
        yield facts.report(UNSAID, what, "mcp_servers", i, next=SAY, severity="warning")
        return


RULES: tuple[Callable[[CellFacts], Iterator[Problem]], ...] = (web_tools_say_reuse, urls_say_reuse, servers_say_reuse)


def _unsaid(facts: CellFacts) -> bool:
    return not facts.reuse_written and "run" not in facts.broken
