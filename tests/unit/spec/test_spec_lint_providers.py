"""What a provider lacks is an error when the spec is read, on that provider and on no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import Problem, SpecError
from runner.models.providers import PROVIDERS
from runner.spec.load import load_job

SETTINGS = {
    "anthropic": "{provider: anthropic}",
    "bedrock": "{provider: bedrock, aws_region: eu-central-1}",
    "vertex": "{provider: vertex, region: europe-west1}",
    "foundry": "{provider: foundry, resource: mine}",
    "aws": "{provider: aws, aws_region: eu-central-1, workspace_id: wrkspc_1}",
    "google-cloud": "{provider: google-cloud, location: global, workspace_id: wrkspc_1}",
}
FEATURES = {
    "fallbacks_default": "fallbacks: default\n",
    "cache_automatic": "cache: automatic\n",
    "upload": "attachments: {path: a.txt, upload: true}\n",
    "file_id": "attachments: {file_id: file_1, type: image}\n",
    "url": "attachments: https://example.com/a.png\n",
    "mcp_servers": (
        "tools: [{type: mcp_toolset, mcp_server_name: a}]\nmcp_servers: [{name: a, url: 'https://a.example'}]\n"
    ),
    "container": "container: {skills: [{type: anthropic, skill_id: pptx, version: latest}]}\n",
    "speed": "speed: fast\n",
    "inference_geo": "inference_geo: us\n",
}
TOOLS = {
    "web_search_20260318": {"bedrock"},
    "web_fetch_20260318": {"bedrock", "vertex"},
    "code_execution_20260521": {"bedrock", "vertex"},
    "advisor_20260301": {"bedrock", "vertex", "foundry"},
    "computer_toolset_20260801": {"bedrock", "foundry"},
    "bash_20250124": set(),
    "tool_search_tool_bm25_20251119": set(),
}


def lacking(folder: Path, provider: str, text: str) -> list[Problem]:
    (folder / "a.txt").write_text("hello", encoding="utf-8")
    path = folder / "job.yaml"
    client = f"client: {SETTINGS[provider]}\nrun: {{reuse: true}}\n"
    path.write_text(f"model: claude-opus-5\nmax_tokens: 500\nprompt: a\n{client}{text}", encoding="utf-8")
    try:
        found = load_job(path, env={}).warnings
    except SpecError as error:
        found = tuple(error.problems)
    return [problem for problem in found if problem.rule == "provider-lacks"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_that_a_provider_lacks(tmp_path: Path, provider: str, feature: str) -> None:
    problems = lacking(tmp_path, provider, FEATURES[feature])
    step = PROVIDERS[provider].lacks.get(feature)
    assert [problem.next for problem in problems] == ([step] if step else [])
    assert all(problem.is_error and PROVIDERS[provider].title in problem.what for problem in problems)


def test_every_feature_of_the_table_has_a_case() -> None:
    assert {feature for provider in PROVIDERS.values() for feature in provider.lacks} == FEATURES.keys()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_a_provider_lacks(tmp_path: Path, provider: str, tool: str) -> None:
    name = tool.rpartition("_")[0]
    text = f"tools: [{{type: {tool}, name: {name}, max_uses: 1, model: claude-opus-5}}]\n"
    assert len(lacking(tmp_path, provider, text)) == (provider in TOOLS[tool])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_every_provider_has(tmp_path: Path, provider: str) -> None:
    schema = "output: {schema: {type: object, properties: {}, additionalProperties: false}}\n"
    text = f"cache: shared\neffort: low\nthinking: adaptive\nspeed: standard\nattachments: a.txt\n{schema}"
    assert lacking(tmp_path, provider, text) == []
