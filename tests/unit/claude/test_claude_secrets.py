"""Tokens of MCP servers: in the bytes that are sent, in no message about them, and nowhere else in a body."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic
from scripted_server import (
    MESSAGE,
    a_request,
    end_events,
    error_body,
    exchange,
    http,
    serving,
    start_event,
    text_events,
)
from scripted_server import stream as events

from runner.claude.client import open_client
from runner.claude.secrets import missing_secrets, secret_values, with_secrets, without_secrets
from runner.records import Failure, Outcome, Reply, Request, Timeout

ENV = {"ORDERS_TOKEN": "swordfish-1", "OTHER": "x"}
SERVERS = [
    {"name": "orders", "url": "https://a.example", "authorization_token": "***"},
    {"name": "open", "url": "https://b.example"},
]
BODY = json.dumps(
    {
        "messages": [{"role": "user", "content": '{"authorization_token": "***"}'}],
        "metadata": {"authorization_token": "***", "name": "orders"},
        "mcp_servers": SERVERS,
    }
).encode()
NAMES = {"orders": "ORDERS_TOKEN"}


def test_only_the_token_of_the_server_is_put_in() -> None:
    made = json.loads(with_secrets(BODY, NAMES, ENV))
    with_token = {**SERVERS[0], "authorization_token": "swordfish-1"}
    assert made == {**json.loads(BODY), "mcp_servers": [with_token, SERVERS[1]]}


def test_a_body_without_secrets_stays_the_bytes_it_was() -> None:
    assert with_secrets(BODY, {}, ENV) is BODY


def test_where_there_is_no_token_the_placeholder_stays() -> None:
    """The simulator gets none, though the environment may hold one."""
    assert json.loads(with_secrets(BODY, NAMES, {})) == json.loads(BODY)


def test_what_is_missing_is_said_once_and_before_sending() -> None:
    assert missing_secrets(["ORDERS_TOKEN"], ENV) == []
    (one, two) = missing_secrets(["A", "B", "A"], {"B": " "})
    assert (one.rule, "`A`" in one.what, "`B`" in two.what) == ("env-missing", True, True)


def exchange_with_tokens(answer: Any, request: Request, *, stream: bool) -> tuple[Outcome, Any]:
    """The outcome, and the JSON that the server got, of a client whose environment holds the token."""

    async def run() -> tuple[Outcome, Any]:
        async with (
            serving(answer) as server,
            open_client(
                base_url=server.url, api_key="k", timeout=Timeout(), stream=stream, concurrency=1, env=ENV
            ) as client,
        ):
            outcome = await client.send(request)
            assert "swordfish" not in repr(client)
            return outcome, server.received[0].json

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_the_token_goes_out_and_a_server_that_repeats_it_is_not_quoted(
    stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request = a_request(body=BODY, secrets=NAMES)
    refused = http(400, error_body("invalid_request_error", "the token swordfish-1 was refused by orders"))
    outcome, received = exchange_with_tokens(refused, request, stream=stream)
    assert received["mcp_servers"][0]["authorization_token"] == "swordfish-1"
    assert received.get("stream", False) is stream
    assert isinstance(outcome, Failure)
    assert "refused by orders" in outcome.message
    assert "swordfish" not in repr(outcome) + repr(request)
    assert secret_values(request, ENV) == ("swordfish-1",)
    assert "Request options" in caplog.text, "the SDK logs what it sends"
    assert "swordfish" not in caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_repeats_the_token_is_kept_without_it(stream: bool) -> None:
    block = {"type": "mcp_tool_result", "content": [{"type": "text", "text": "you sent swordfish-1"}]}
    said = {**MESSAGE, "content": [{"type": "text", "text": "it is swordfish-1."}, block]}
    streamed = events(start_event(), *text_events("it is sword", "fish-1."), *end_events())
    answer = streamed if stream else http(200, said)
    outcome, _ = exchange_with_tokens(answer, a_request(body=BODY, secrets=NAMES), stream=stream)
    assert isinstance(outcome, Reply)
    assert outcome.message["content"][0]["text"] == "it is ***."
    assert "swordfish" not in repr(outcome)


def test_a_token_too_short_to_be_one_cuts_no_words_out_of_replies() -> None:
    reply = Reply(message={"content": [{"text": "test"}]})
    assert without_secrets(reply, ["test"]) is reply


def test_headers_of_the_request_go_out_beside_its_betas() -> None:
    request = a_request(headers={"anthropic-workspace-id": "wrkspc_1"}, betas=("a-2026-01-01",))
    headers = exchange(http(200, MESSAGE), request=request).server.received[0].headers
    assert (headers["anthropic-workspace-id"], headers["anthropic-beta"]) == ("wrkspc_1", "a-2026-01-01")


def test_a_beta_request_goes_where_the_sdk_sends_it_with_its_headers() -> None:
    """The same request through `client.beta.messages.create` and through ours: one address, the same headers."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json=MESSAGE)

    async def ask() -> None:
        http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        async with AsyncAnthropic(api_key="k", http_client=http_client, max_retries=0) as sdk:
            await sdk.beta.messages.create(
                model="claude-opus-5-5",
                max_tokens=9,
                messages=[{"role": "user", "content": "hi"}],
                betas=["a-2026-01-01", "b-2026-01-01"],
                user_profile_id="uprof_1",
                workspace_id="wrkspc_1",
            )

    asyncio.run(ask())
    request = a_request(
        headers={"anthropic-user-profile-id": "uprof_1", "anthropic-workspace-id": "wrkspc_1"},
        betas=("a-2026-01-01", "b-2026-01-01"),
    )
    ours = exchange(http(200, MESSAGE), request=request).server.received[0]
    assert ours.line.split()[1] == seen[0].url.raw_path.decode()
    named = [name for name in seen[0].headers if name.startswith("anthropic-")]
    assert {name: ours.headers[name] for name in named} == {name: seen[0].headers[name] for name in named}
