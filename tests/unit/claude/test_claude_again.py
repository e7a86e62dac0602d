"""Requests after the first of a kind are made from it. What is made of answers: `test_claude_both_ways`."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from scripted_server import BODY, MESSAGE, a_request, http, opened, serving

from runner.claude.again import MOST_KINDS, Again, again
from runner.records import Reply, Timeout

OTHER_BODY = BODY.replace(b'"hi"', '"hello, Grüße"'.encode())
FIRST = http(200, MESSAGE, headers={"connection": "keep-alive"})


async def sent(*requests, answers=(FIRST,)):
    """(what the server received, the outcomes, the client's `Again`)."""
    async with serving(*answers) as server, opened(server.url, timeout=Timeout(read=2.0)) as client:
        outcomes = [await client.send(request) for request in requests]
        return server.received, outcomes, client.repeated


def test_the_second_request_differs_from_the_first_in_its_body_alone():
    request = a_request(betas=("a-2026-01-01",), headers={"anthropic-user-profile-id": "p"}, timeout=Timeout(read=77))
    received, outcomes, repeated = asyncio.run(sent(request, replace(request, body=OTHER_BODY)))
    assert len(repeated.made) == 1  # so that the second was made from the first
    assert [type(outcome) for outcome in outcomes] == [Reply, Reply]
    first, second = received
    assert (first.body, second.body) == (BODY, OTHER_BODY)
    assert second.headers.pop("content-length") == str(len(OTHER_BODY))
    assert first.headers.pop("content-length") == str(len(BODY))
    assert second.headers == first.headers
    assert second.line == first.line


def test_headers_of_the_environment_go_with_every_request_in_the_same_order(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Team: a b\nanthropic-beta: of-the-environment")
    received, _, repeated = asyncio.run(sent(a_request(), a_request()))
    assert len(repeated.made) == 1
    assert list(received[0].headers.items()) == list(received[1].headers.items())
    assert received[1].headers["x-team"] == "a b"
    assert received[1].headers["anthropic-beta"] == "of-the-environment"


def test_what_is_not_the_same_for_both_is_another_kind():
    plain, beta = a_request(), a_request(betas=("a-2026-01-01",))
    slow = a_request(timeout=Timeout(read=77))
    received, _, repeated = asyncio.run(sent(plain, beta, slow, plain, beta, slow))
    assert len(repeated.made) == 3
    assert [one.headers.get("anthropic-beta") for one in received] == [None, "a-2026-01-01", None] * 2
    assert [one.headers["x-stainless-read-timeout"] for one in received] == ["2.0", "2.0", "77"] * 2


def test_kinds_are_kept_up_to_a_number():
    requests = [a_request(timeout=Timeout(read=100 + n)) for n in range(MOST_KINDS + 3)]
    received, outcomes, repeated = asyncio.run(sent(*requests))
    assert len(repeated.made) == MOST_KINDS
    assert all(isinstance(outcome, Reply) for outcome in outcomes)
    assert received[-1].headers["x-stainless-read-timeout"] == str(100 + MOST_KINDS + 2)


def test_one_connection_carries_them_all():
    async def run():
        async with serving(FIRST) as server, opened(server.url) as client:
            for _ in range(5):
                await client.send(a_request())
            return server.connections

    assert asyncio.run(run()) == 1


def test_the_sdk_makes_every_request_where_the_moment_matters(caplog):
    class Sdk:
        credentials = None

    assert isinstance(again(Sdk(), http=None), Again)
    for level, logger in ((logging.DEBUG, "anthropic"), (logging.INFO, "httpx2")):  # as ANTHROPIC_LOG has it
        with caplog.at_level(level, logger=logger):
            assert again(Sdk(), http=None) is None
    Sdk.credentials = object()  # tokens that are renewed
    assert again(Sdk(), http=None) is None


def test_the_sdk_makes_every_request_that_goes_by_a_proxy(monkeypatch):
    async def run():
        async with serving(FIRST) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with opened("http://api.example", timeout=Timeout(read=2.0)) as client:
                outcomes = [await client.send(a_request()) for _ in range(2)]
            return outcomes, proxy.received, client.repeated

    outcomes, received, repeated = asyncio.run(run())
    assert [type(outcome) for outcome in outcomes] == [Reply, Reply]
    assert [one.line for one in received] == ["POST http://api.example/v1/messages HTTP/1.1"] * 2
    assert not repeated.made


def test_no_connection_is_the_failure_it_always_was():
    async def run():
        async with serving(FIRST) as server, opened(server.url) as client:
            await client.send(a_request())
            made = next(iter(client.repeated.made.values()))
            nobody = replace(made.line, url="http://127.0.0.1:1/v1/messages")
            kinds = {kind: made._replace(line=nobody) for kind in client.repeated.made}
            client.repeated.made.update(kinds)
            return await client.send(a_request())

    failure = asyncio.run(run())
    assert (failure.kind, failure.maybe_billed, failure.retryable) == ("connection", False, True)
