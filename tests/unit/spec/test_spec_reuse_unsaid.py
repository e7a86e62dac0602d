"""What reads a changing world needs an explicit `run.reuse`."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec.load import LoadOptions, load_job
from runner.spec.tool_types import SERVER_TOOLS

BASE = "model: claude-opus-4-8\nprompt: a\n"
SAID = ["run: {reuse: true}\n", "run: {reuse: false}\n", "run: {reuse: {max_age: 1d}}\n"]
SEARCH = "tools: [{type: web_search_20250305, name: web_search, max_uses: 1}]\n"
URL = "attachments: {url: https://example.com/a.png}\n"
MCP = "mcp_servers: [{name: a, url: 'https://a.example'}]\ntools: [{type: mcp_toolset, mcp_server_name: a}]\n"


def found(folder: Path, text: str, sets: tuple[str, ...] = ()) -> list[str]:
    path = folder / "job.yaml"
    path.write_text(BASE + text, encoding="utf-8")
    try:
        problems = load_job(path, LoadOptions(sets=sets), env={}).warnings
    except SpecError as error:
        problems = tuple(error.problems)
    return [one.severity for one in problems if one.rule == "reuse-unsaid"]


@pytest.mark.parametrize("tool", [one for one in SERVER_TOOLS if "_" in one and one != "mcp_toolset"])
def test_web_tools_of_any_version_and_no_other_tool(tmp_path: Path, tool: str) -> None:
    changes = tool.startswith(("web_search", "web_fetch"))
    name = tool.rpartition("_")[0]
    text = f"tools: [{{type: {tool}, name: {name}, model: claude-opus-5, max_uses: 1}}]\n"
    assert found(tmp_path, text) == (["error"] if changes else [])


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("text", [SEARCH, URL, MCP])
def test_any_word_about_reuse_is_enough(tmp_path: Path, text: str, said: str) -> None:
    assert found(tmp_path, text) != []
    assert found(tmp_path, text + said) == []
    assert found(tmp_path, text, sets=("run.reuse=false",)) == []


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        (URL, ["error"]),
        ("attachments: [https://example.com/a.png, https://example.com/b.png]\n", ["error"]),
        ("attachments: {url: 'https://example.com/{{ a }}.png'}\ninputs: [{a: b}]\n", ["error"]),
        ("attachments: {file_id: file_1, type: image}\n", []),
        ("attachments: {text: hello}\n", []),
        ("attachments: '{{ a }}'\ninputs: [{a: b}]\n", []),  # its rows say what it is: planning
        ("run: {concurrency: 3}\n" + URL, ["error"]),
        ("run: {concurrency: many}\n" + URL, []),  # `run` is wrong; what it says of reuse is not known
        (MCP, ["warning"]),
        ("", []),
    ],
)
def test_what_needs_it(tmp_path: Path, text: str, severities: list[str]) -> None:
    assert found(tmp_path, text) == severities
