"""One attempt over a real socket: every way an exchange can go ends in one Reply or one Failure."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from email.utils import formatdate

import pytest
from scripted_server import (
    BODY,
    KEY,
    MESSAGE,
    a_request,
    end_events,
    error_body,
    exchange,
    http,
    opened,
    serving,
    sse,
    start_event,
    stream,
    text_events,
)  # fmt: skip

from runner.claude.client import open_client, with_stream
from runner.errors import AccountError, SpecError
from runner.records import Failure, Reply, Timeout


def reply_of(*answers, **how) -> Reply:
    outcome = exchange(*answers, **how).outcome
    assert isinstance(outcome, Reply), outcome
    return outcome


def failure_of(*answers, **how) -> Failure:
    outcome = exchange(*answers, **how).outcome
    assert isinstance(outcome, Failure), outcome
    return outcome


# ---------------------------------------------------------------- replies


def test_a_reply_is_the_message_as_it_came_with_the_headers_that_matter():
    headers = {"anthropic-ratelimit-requests-remaining": "7", "anthropic-organization-id": "org_secret", "x-other": "1"}
    reply = reply_of(http(200, {**MESSAGE, "field_of_tomorrow": [1]}, headers=headers))
    assert reply.message == {**MESSAGE, "field_of_tomorrow": [1]}
    assert (reply.http_status, reply.request_id, reply.simulated) == (200, "req_1", False)
    assert reply.headers == {"request-id": "req_1", "anthropic-ratelimit-requests-remaining": "7"}


def test_the_body_goes_out_byte_for_byte_with_key_betas_and_read_timeout():
    request = a_request(betas=("a-2026-01-01", "b-2026-01-01"), timeout=Timeout(read=77))
    received = exchange(http(200, MESSAGE), request=request).server.received
    assert [(one.line, one.body) for one in received] == [("POST /v1/messages HTTP/1.1", BODY)]
    headers = received[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["anthropic-beta"] == "a-2026-01-01,b-2026-01-01"
    assert headers["content-type"] == "application/json"
    assert headers["x-stainless-read-timeout"] == "77"


def test_a_path_in_a_body_is_never_read_as_a_file(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("do not send me", encoding="utf-8")
    body = b'{"source":{"type":"base64","data":"%s"}}' % secret.as_posix().encode()
    assert exchange(http(200, MESSAGE), request=a_request(body=body)).server.received[0].body == body


def test_simulated_replies_say_so():
    assert reply_of(http(200, MESSAGE, headers={"x-promptrun-simulated": "1"})).simulated


def test_connections_are_used_again():
    async def run():
        keep = http(200, MESSAGE, headers={"connection": "keep-alive"})
        async with serving(keep) as server, opened(server.url) as client:
            for _ in range(3):
                assert isinstance(await client.send(a_request()), Reply)
            return server.connections

    assert asyncio.run(run()) == 1


# ---------------------------------------------------------------- streams


def test_short_answers_are_asked_for_plainly_and_long_ones_as_a_stream():
    whole = stream(start_event(), *text_events("hel", "lo"), *end_events())
    assert "stream" not in exchange(http(200, MESSAGE), request=a_request(max_tokens=21_333)).server.received[0].json
    received = exchange(whole, request=a_request(max_tokens=21_334)).server.received[0]
    assert received.json["stream"] is True
    assert {**received.json, "stream": None} == {**exchange(whole).server.received[0].json, "stream": None}


def test_a_streamed_reply_is_the_same_message():
    reply = reply_of(stream(start_event(), *text_events("hel", "lo"), *end_events()), stream=True)
    assert reply.message == MESSAGE
    assert reply.request_id == "req_1"


def test_a_stream_is_not_asked_for_when_streaming_is_off():
    received = exchange(http(200, MESSAGE), request=a_request(max_tokens=64_000), stream=False).server.received
    assert "stream" not in received[0].json


def test_a_server_that_does_not_stream_is_understood():
    assert reply_of(http(200, MESSAGE), stream=True).message == MESSAGE


@pytest.mark.parametrize("streamed", [True, False])
def test_a_message_that_does_not_say_why_it_ended_is_kept(streamed):
    events = stream(start_event(), *text_events("hello"), {"type": "message_stop"})
    reply = reply_of(events if streamed else http(200, {**MESSAGE, "stop_reason": None}), stream=streamed)
    assert (reply.message["stop_reason"], reply.message["content"]) == (None, MESSAGE["content"])


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("type_", ["Text/Event-Stream; charset=utf-8", "text/plain", "application/json"])
def test_a_stream_is_read_whatever_it_is_called_and_asked_for_or_not(asked, type_):
    answer = stream(start_event(), *text_events("hel", "lo"), *end_events(), headers={"content-type": type_})
    assert reply_of(answer, stream=asked).message == MESSAGE


@pytest.mark.parametrize("asked", [True, False])
def test_an_error_in_a_stream_that_goes_by_another_name(asked):
    event = {**error_body("overloaded_error", "Overloaded"), "type": "error"}
    answer = stream(start_event(), event, headers={"content-type": "text/plain"})
    failure = failure_of(answer, stream=asked)
    assert (failure.kind, failure.maybe_billed, failure.message) == ("overloaded", True, "Overloaded")


def test_a_connection_that_carried_a_stream_is_used_again():
    async def chunked(*events):
        body = sse(*events)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    async def run():
        answer = await chunked(start_event(), *text_events("hello"), *end_events())
        async with serving(answer) as server, opened(server.url, stream=True) as client:
            for _ in range(3):
                assert isinstance(await client.send(a_request()), Reply)
            return server.connections

    assert asyncio.run(run()) == 1


def test_a_stream_that_was_whole_counts_although_the_connection_broke_after_it():
    head = {"content-length": "100000"}
    answer = stream(start_event(), *text_events("hello"), *end_events(), headers=head)
    assert reply_of(answer, stream=True).message == MESSAGE


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("overloaded_error", "overloaded"),
        ("api_error", "server_error"),
        ("rate_limit_error", "rate_limited"),
        ("timeout_error", "timeout"),
        ("invalid_request_error", "invalid_request"),
        ("an_error_of_tomorrow", "server_error"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_an_error_event_in_a_200(type_, kind, begun):
    before = [start_event(), *text_events("hel")] if begun else []
    failure = failure_of(stream(*before, {**error_body(type_, "too much"), "type": "error"}), stream=True)
    assert (failure.kind, failure.message, failure.http_status, failure.error_type) == (kind, "too much", 200, type_)
    assert failure.maybe_billed is begun


def test_an_error_whose_event_has_no_name():
    named = sse({**error_body("overloaded_error", "Overloaded"), "type": "error"})
    failure = failure_of(stream(start_event()) + named.replace(b"event: error\n", b""), stream=True)
    assert (failure.kind, failure.maybe_billed) == ("overloaded", True)


def test_an_error_event_nobody_can_read_cuts_the_stream():
    answer = stream(start_event()) + b"event: error\ndata: oops\n\n"
    failure = failure_of(answer, stream=True)
    assert (failure.kind, failure.maybe_billed) == ("truncated_stream", True)
    assert "oops" in failure.message


@pytest.mark.parametrize(
    "events", [[], [start_event()], [start_event(), *text_events("hello"), end_events()[0]]], ids=["0", "start", "all"]
)
def test_a_stream_without_message_stop_is_truncated(events):
    failure = failure_of(stream(*events), stream=True)
    assert (failure.kind, failure.retryable, failure.maybe_billed) == ("truncated_stream", True, True)
    assert failure.request_id == "req_1"


def test_a_stream_whose_connection_breaks_is_truncated():
    answer = stream(start_event(), *text_events("hel"), headers={"content-length": "100000"})
    failure = failure_of(answer, stream=True)
    assert (failure.kind, failure.maybe_billed) == ("truncated_stream", True)
    assert failure.message.startswith("the stream broke off: ")


@pytest.mark.parametrize(
    "middle",
    [b"event: x\ndata: {not json\n\n", b"data: 7\n\n", b'data: {"type":"content_block_stop","index":4}\n\n',
     b"data: \xff\n\n"],
    ids=["not-json", "number", "no-block", "not-utf8"],
)  # fmt: skip
def test_a_stream_of_nonsense_is_a_malformed_reply(middle):
    failure = failure_of(stream(start_event()) + middle + sse(*end_events()), stream=True)
    assert (failure.kind, failure.maybe_billed) == ("malformed_reply", True)


def test_errors_before_a_stream_are_those_of_a_plain_call():
    failure = failure_of(http(529, error_body("overloaded_error", "Overloaded")), stream=True)
    assert (failure.kind, failure.maybe_billed, failure.message) == ("overloaded", False, "Overloaded")


# ---------------------------------------------------------------- errors with a status


def test_an_error_keeps_what_the_api_said():
    headers = {"retry-after": "1.5", "x-should-retry": "true", "set-cookie": "session=1"}
    failure = failure_of(http(429, error_body("rate_limit_error", "slow down"), headers=headers))
    assert failure == Failure(
        kind="rate_limited",
        message="slow down",
        http_status=429,
        error_type="rate_limit_error",
        retry_after=1.5,
        request_id="req_1",
        headers={"request-id": "req_1", "retry-after": "1.5", "x-should-retry": "true"},
    )


def test_retry_after_as_a_date():
    headers = {"retry-after": formatdate(time.time() + 3600, usegmt=True)}
    failure = failure_of(http(529, error_body("overloaded_error", "Overloaded"), headers=headers))
    assert failure.retry_after == pytest.approx(3600, abs=60)


def test_a_redirect_is_not_followed_and_ends_the_run():
    async def run():
        async with serving(http(200, MESSAGE)) as thief:
            redirect = http(307, headers={"location": f"{thief.url}/v1/messages?token=1"})
            async with serving(redirect) as server, opened(server.url) as client:
                return await client.send(a_request()), thief

    failure, thief = asyncio.run(run())
    assert thief.received == []
    assert (failure.kind, failure.ends_run, failure.http_status) == ("authentication", True, 307)
    assert thief.url in failure.message
    assert "token=1" not in failure.message


def test_a_page_from_a_proxy_is_quoted_without_its_tags():
    page = b"<html><head><style>p{}</style></head><body><h1>502 Bad Gateway</h1>\n<p>nginx</p></body></html>"
    failure = failure_of(http(502, page, headers={"content-type": "text/html"}))
    assert (failure.kind, failure.maybe_billed) == ("server_error", True)
    assert failure.message == "HTTP 502 from something between here and the API: `502 Bad Gateway nginx`"


def test_a_server_that_is_not_the_api_ends_the_run_and_names_the_base_url():
    failure = failure_of(http(404, b"<h1>Not Found</h1>"))
    assert (failure.kind, failure.ends_run) == ("authentication", True)
    assert "ANTHROPIC_BASE_URL" in failure.message


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 400, 403, 413, 429])
def test_an_empty_error_body_is_named_as_such(status):
    assert "an empty body" in failure_of(http(status)).message


# ---------------------------------------------------------------- replies that are none


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html>log in</html>", b"[]", b"null", {"type": "message"}, {**MESSAGE, "content": "text"},
     {**MESSAGE, "content": ["text"]}, {**MESSAGE, "usage": 7}],
)  # fmt: skip
def test_a_200_that_is_no_message_is_a_malformed_reply(body):
    failure = failure_of(http(200, body))
    assert (failure.kind, failure.http_status, failure.maybe_billed) == ("malformed_reply", 200, True)


def test_an_api_error_in_a_plain_200_is_that_error():
    assert failure_of(http(200, error_body("overloaded_error", "Overloaded"))).kind == "overloaded"


# ---------------------------------------------------------------- connections


def test_a_connection_that_is_refused_was_not_billed():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def run():
        async with opened(f"http://127.0.0.1:{port}") as client:
            return await client.send(a_request())

    failure = asyncio.run(run())
    assert (failure.kind, failure.maybe_billed, failure.retryable) == ("connection", False, True)
    assert failure.message.startswith("could not connect: ")


def test_a_name_that_is_not_known_was_not_billed():
    async def run():
        async with opened("http://no-such-host.invalid") as client:
            return await client.send(a_request())

    failure = asyncio.run(run())
    assert (failure.kind, failure.maybe_billed) == ("connection", False)


async def hang_up(writer) -> None:
    """Close without a word."""


@pytest.mark.parametrize("streamed", [False, True])
def test_a_connection_dropped_before_the_reply_may_be_billed(streamed):
    failure = failure_of(hang_up, stream=streamed)
    assert (failure.kind, failure.maybe_billed) == ("connection", True)


def test_a_body_shorter_than_promised_may_be_billed():
    failure = failure_of(http(200, MESSAGE, length=100_000))
    assert (failure.kind, failure.maybe_billed) == ("connection", True)


@pytest.mark.parametrize("said", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 200 OK\r\nx y: z\r\n\r\n"])
def test_an_answer_that_is_not_http_is_an_answer_and_not_asked_for_again(said):
    failure = failure_of(said)
    assert (failure.kind, failure.retryable, failure.maybe_billed) == ("malformed_reply", False, True)
    assert failure.message.startswith("the reply is not HTTP as it should be: ")
    assert "400" not in failure.message


def test_http_at_a_port_that_speaks_https_ends_the_run():
    failure = failure_of(b"\x15\x03\x01\x00\x02\x02\x46")  # the alert of a TLS server
    assert (failure.kind, failure.ends_run, failure.maybe_billed) == ("authentication", True, False)
    assert "speaks https at this port" in failure.message


@pytest.mark.parametrize("url", ["http://127.1:9", "http://a..b:9"])
def test_an_address_that_nothing_can_be_sent_to_ends_the_run(url):
    async def run():
        async with opened(url) as client:
            return await client.send(a_request())

    failure = asyncio.run(run())
    assert (failure.kind, failure.ends_run, failure.maybe_billed) == ("authentication", True, False)
    assert "the base URL cannot be used" in failure.message


def test_a_stream_that_is_not_packed_as_it_says_is_not_asked_for_again():
    whole = stream(start_event(), *end_events(), headers={"content-encoding": "gzip"})
    failure = failure_of(whole, stream=True)
    assert (failure.kind, failure.retryable, failure.maybe_billed) == ("malformed_reply", False, True)


def test_an_error_that_is_not_packed_as_it_says_is_not_asked_for_again():
    failure = failure_of(http(400, b"no", headers={"content-encoding": "gzip"}))
    assert (failure.kind, failure.retryable) == ("malformed_reply", False)


def test_https_at_a_port_that_speaks_http_ends_the_run():
    async def talk(reader, writer):
        writer.write(http(400, b"speak up"))
        await reader.read()
        writer.close()

    async def run():
        listener = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with listener, opened(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}") as client:
            return await client.send(a_request())

    failure = asyncio.run(run())
    assert (failure.kind, failure.ends_run, failure.maybe_billed) == ("authentication", True, False)
    assert failure.message.startswith("the server does not speak https at this port, and nothing was sent to it: ")


async def say_nothing(writer) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("limit", ["total", "read"])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_takes_too_long(limit, streamed):
    failure = failure_of(say_nothing, stream=streamed, **{limit: 0.05})
    assert (failure.kind, failure.maybe_billed, failure.http_status) == ("timeout", True, None)


def test_a_request_has_limits_of_its_own():
    failure = failure_of(say_nothing, request=a_request(timeout=Timeout(total=0.05)))
    assert failure.message == "no whole answer within 0.05 s"


def test_cancelling_comes_through():
    async def run():
        async with serving(say_nothing) as server, opened(server.url) as client:
            task = asyncio.create_task(client.send(a_request()))
            await server.arrived.wait()
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


# ---------------------------------------------------------------- secrets


def test_no_message_shows_a_credential():
    echoed = f"bad header Authorization: Bearer {KEY}, see https://user:hunter2@proxy.example/ and sk-ant-oat01-abcdef"
    failure = failure_of(http(400, error_body("invalid_request_error", echoed + "\n" + "x" * 9000)))
    assert KEY not in failure.message
    assert "hunter2" not in failure.message
    assert "oat01" not in failure.message
    assert "\n" not in failure.message
    assert len(failure.message) == 500


@pytest.mark.parametrize("status", [200, 404, 502])
def test_no_quoted_page_shows_a_piece_of_a_credential(status):
    page = b"x" * 100 + b" my-own-credential-of-many-letters"

    async def run():
        async with serving(http(status, page)) as server:
            opening = open_client(
                base_url=server.url, api_key="my-own-credential-of-many-letters", timeout=Timeout(), stream="auto",
                concurrency=1, env={},
            )  # fmt: skip
            async with opening as client:
                return await client.send(a_request())

    assert "my-own" not in asyncio.run(run()).message


# ---------------------------------------------------------------- opening


def opening(**how):
    async def run():
        async with open_client(timeout=Timeout(), stream="auto", concurrency=2, env=os.environ, **how) as client:
            return client

    return asyncio.run(run())


def test_without_credentials_nothing_opens_and_the_message_says_what_to_set(snapshot):
    with pytest.raises(AccountError) as caught:
        opening(base_url="http://127.0.0.1:9")
    assert caught.value.exit_code == 4
    assert str(caught.value) == snapshot


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_credentials_come_from_the_environment(monkeypatch, name):
    monkeypatch.setenv(name, "abc")
    assert opening().secrets == ("abc",)


@pytest.mark.parametrize("value", ["abc\n", " abc", "a b\tc", "clé"])
def test_a_key_that_cannot_be_sent_is_named_before_anything_is_sent(monkeypatch, value):
    monkeypatch.setenv("ANTHROPIC_API_KEY", value)
    with pytest.raises(AccountError, match="`ANTHROPIC_API_KEY` cannot be sent") as caught:
        opening()
    assert value not in str(caught.value)


def test_a_broken_profile_is_an_account_error(monkeypatch, tmp_path):
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_PROFILE", "work")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "work.json").write_text("{", encoding="utf-8")
    (tmp_path / "configs" / "work.json").chmod(0o600)
    with pytest.raises(AccountError, match="not valid JSON"):
        opening()


def test_an_empty_base_url_is_none_at_all(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "abc")
    assert opening().sdk.base_url.host == "api.anthropic.com"


@pytest.mark.parametrize("url", ["ftp://example.com", "localhost:8000", "http://[bad"])
def test_a_base_url_that_is_none(monkeypatch, url):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "abc")
    with pytest.raises(SpecError) as caught:
        opening()
    assert caught.value.problems[0].rule == "base-url"


def test_explicit_settings_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://192.0.2.1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "real")
    received = exchange(http(200, MESSAGE)).server.received
    assert received[0].headers["authorization"] == f"Bearer {KEY}"


# ---------------------------------------------------------------- the splice


@pytest.mark.parametrize(
    ("body", "spliced"),
    [(b"{}", b'{"stream":true}'), (b'{"a":1}', b'{"a":1,"stream":true}'), (b"{ }\n", b'{ "stream":true}')],
)
def test_stream_is_spliced_into_the_body(body, spliced):
    assert with_stream(body) == spliced
