"""Every parameter of the SDK's `messages.create` and `beta.messages.create` can be said in a spec, and is sent.

The SDK's signatures say which parameters there are, docs/parameters.md says how each is said; what is rendered and
what a server receives decides.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from anthropic import AsyncAnthropic
from harness import CHECKOUT, Command, HandServer, json_lines

DOCS = CHECKOUT / "docs"
ROW = re.compile(r"^\| `(\w+)` \| (.+) \| `?([^`|]+)`? \| (?:\[[\w-]+\]\(([^)]+)\))? ?\|$")
ENVIRONMENT = {"TEAM": "support"}
IN_THE_BODY, SENT, NOTHING = "body", "what is sent", "nothing"


class Parameter(NamedTuple):
    """A row of the table. goes_into: the body, a header's name, what is sent, or nothing."""

    name: str
    said: str
    goes_into: str
    example: str | None


def table() -> list[Parameter]:
    lines = (DOCS / "parameters.md").read_text(encoding="utf-8").splitlines()
    return [Parameter(*match.groups()) for line in lines if (match := ROW.match(line))]


def signatures() -> set[str]:
    sdk = AsyncAnthropic(api_key="not-a-real-key")
    return {name for one in (sdk.messages, sdk.beta.messages) for name in inspect.signature(one.create).parameters}


def test_the_table_has_exactly_the_parameters_of_the_sdk() -> None:
    names = [one.name for one in table()]
    assert sorted(names) == sorted(signatures()), "docs/parameters.md and the installed SDK differ"


@pytest.fixture(scope="module")
def rendered(promptrun: Command) -> dict[str, list[dict[str, Any]]]:
    """Example → the lines that `promptrun render` prints."""
    examples = {one.example for one in table() if one.example}
    return {
        example: json_lines(promptrun.ok("render", DOCS / example, env=ENVIRONMENT)) for example in sorted(examples)
    }


@pytest.mark.parametrize(
    "parameter", [one for one in table() if one.goes_into == IN_THE_BODY], ids=lambda one: one.name
)
def test_the_rendered_body_contains_it(parameter: Parameter, rendered: Mapping[str, list[dict[str, Any]]]) -> None:
    assert parameter.example
    lines = rendered[parameter.example]
    assert lines
    if parameter.name == "extra_body":  # a parameter of the SDK's whose fields lie in the body
        assert all("thread" in line["body"] for line in lines)
    else:
        assert all(parameter.name in line["body"] for line in lines)


@pytest.mark.parametrize(
    "parameter", [one for one in table() if one.goes_into.startswith("anthropic-")], ids=lambda one: one.name
)
def test_the_header_is_sent(parameter: Parameter, promptrun: Command, hand_server: HandServer, tmp_path: Any) -> None:
    assert parameter.example
    promptrun.ok(DOCS / parameter.example, "--output-dir", tmp_path, env=hand_server.environment())
    assert hand_server.headers
    assert all(headers[parameter.goes_into] for headers in hand_server.headers)
    assert all(parameter.name not in body for body in hand_server.bodies)


def test_what_is_added_when_it_is_sent(promptrun: Command, hand_server: HandServer, tmp_path: Any) -> None:
    examples = {one.name: one.example for one in table() if one.goes_into == SENT}
    assert examples.keys() == {"stream", "timeout", "diagnostics"}
    for name in ("stream", "diagnostics"):
        promptrun.ok(DOCS / str(examples[name]), "--output-dir", tmp_path, env=hand_server.environment())
    streamed, diagnosed = hand_server.bodies
    assert examples["timeout"] == examples["stream"]
    assert streamed["stream"] is True
    assert float(hand_server.headers[0]["x-stainless-read-timeout"]) == 90
    assert diagnosed["diagnostics"] == {"previous_message_id": None}


@pytest.mark.parametrize("parameter", [one for one in table() if one.goes_into == NOTHING], ids=lambda one: one.name)
def test_what_a_spec_never_says_is_refused(parameter: Parameter, promptrun: Command, tmp_path: Any) -> None:
    spec = tmp_path / "job.yaml"
    spec.write_text(f"model: claude-haiku-5-5\nprompt: a\n{parameter.name}: {{a: b}}\n", encoding="utf-8")
    done = promptrun("validate", spec)
    assert done.returncode == 2
    assert f"`{parameter.name}`" in done.stderr


def test_headers_and_betas_are_shown_by_render(rendered: Mapping[str, list[dict[str, Any]]]) -> None:
    headers = rendered["../tests/examples/valid/headers.yaml"][0]
    assert headers["headers"] == {
        "anthropic-user-profile-id": "uprof_Ada",
        "anthropic-workspace-id": "wrkspc_011CZkZaBF1tNoB5wlCeusgy",
    }
    (betas,) = rendered["../tests/examples/valid/betas.yaml"]
    assert betas["betas"] == ["context-1m-2025-08-07", "fast-mode-2026-02-01", "server-side-fallback-2026-07-01"]
    assert "***" in json.dumps(rendered["../tests/examples/valid/mcp.yaml"])
