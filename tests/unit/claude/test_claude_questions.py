"""The two free questions over a real socket: what is asked, what comes back, and the failures of any request."""

from __future__ import annotations

import asyncio

import pytest
from scripted_server import KEY, a_request, error_body, http, opened, serving

from runner.claude.questions import count_tokens, retrieve_model
from runner.records import Failure, Timeout

BODY = b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi"}]}'


def ask(question, *answers, **options):
    """(the answer, what the server received)."""

    async def run():
        async with serving(*answers) as server, opened(server.url, **options) as client:
            return await question(client), server.received

    return asyncio.run(run())


def count(*answers, request=None, **options):
    return ask(lambda client: count_tokens(client, request or a_request(body=BODY)), *answers, **options)


def model(*answers, id="claude-opus-5-5"):
    return ask(lambda client: retrieve_model(client, id), *answers)


def test_counting_sends_the_body_as_it_is_and_gives_the_count():
    told, (received,) = count(http(200, {"input_tokens": 2095}))
    assert told == 2095
    assert (received.line, received.body) == ("POST /v1/messages/count_tokens HTTP/1.1", BODY)
    assert received.headers["authorization"] == f"Bearer {KEY}"


def test_counting_with_betas_asks_as_the_sdk_s_beta_resource_does():
    request = a_request(body=BODY, betas=("mcp-client-2025-11-20",))
    _, (received,) = count(http(200, {"input_tokens": 1}), request=request)
    assert received.line == "POST /v1/messages/count_tokens?beta=true HTTP/1.1"
    assert received.headers["anthropic-beta"] == "mcp-client-2025-11-20"


def test_a_model_comes_back_as_the_api_describes_it():
    told, (received,) = model(http(200, {"id": "claude-opus-5-5", "max_tokens": 128_000, "new": [1]}))
    assert told == {"id": "claude-opus-5-5", "max_tokens": 128_000, "new": [1]}
    assert received.line == "GET /v1/models/claude-opus-5-5?beta=true HTTP/1.1"


def test_an_id_cannot_lead_to_another_address():
    _, (received,) = model(http(200, {}), id="../../v1/files?x=#")
    assert received.line == "GET /v1/models/..%2F..%2Fv1%2Ffiles%3Fx=%23?beta=true HTTP/1.1"


@pytest.mark.parametrize(
    ("status", "body", "kind", "ends_run"),
    [
        (404, error_body("not_found_error", "model: claude-x"), "model_not_found", False),
        (401, error_body("authentication_error", "invalid x-api-key"), "authentication", True),
        (429, error_body("rate_limit_error", "slow down"), "rate_limited", False),
        (529, error_body("overloaded_error", "Overloaded"), "overloaded", False),
        (400, error_body("invalid_request_error", "messages: at least one"), "invalid_request", False),
        (502, b"<html>Bad gateway</html>", "server_error", False),
    ],
)
@pytest.mark.parametrize("question", [count, model])
def test_failures_are_those_of_any_request_and_never_billed(question, status, body, kind, ends_run):
    told, _ = question(http(status, body))
    assert isinstance(told, Failure)
    assert (told.kind, told.ends_run, told.maybe_billed) == (kind, ends_run, False)


@pytest.mark.parametrize("question", [count, model])
@pytest.mark.parametrize("body", [b"", b"not json", b"[1]"])
def test_a_reply_that_says_nothing_is_malformed(question, body):
    told, _ = question(http(200, body))
    assert (told.kind, told.maybe_billed) == ("malformed_reply", False)


@pytest.mark.parametrize("tokens", [None, "12", True, 1.5])
def test_a_count_is_a_whole_number_or_none_at_all(tokens):
    told, _ = count(http(200, {"input_tokens": tokens}))
    assert told.kind == "malformed_reply"


def test_a_server_that_says_nothing_is_not_waited_for():
    async def silence(writer):
        await asyncio.Event().wait()

    told, _ = count(silence, timeout=Timeout(total=0.05))
    assert (told.kind, told.maybe_billed) == ("timeout", False)
