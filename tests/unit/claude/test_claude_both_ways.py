"""The SDK's way and the short way (`runner.claude.again`) say the same of every answer, and ask in the same words."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import zlib
from dataclasses import replace

import pytest
from scripted_server import KEY, MESSAGE, a_request, end_events, error_body, http, serving, start_event, stream

from runner.claude.again import kind_of
from runner.claude.client import open_client
from runner.records import Failure, Reply, Timeout
from runner.spec.job import ClientSpec

BODY = json.dumps(MESSAGE).encode()
KEPT = http(200, MESSAGE, headers={"connection": "keep-alive"})
CLOSED = http(200, MESSAGE)
HEAD = b"HTTP/1.1 200 OK\r\nrequest-id: req_1\r\n"


def said(*lines: bytes, body: bytes = BODY, length: int | None = None) -> bytes:
    """A reply with these header lines."""
    size = b"content-length: %d" % (len(body) if length is None else length)
    return (
        b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in (b"request-id: req_1", *lines, size, b"")) + body
    )


def chunks(body: bytes, size: int = 50) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])


def then_close(written: bytes):
    async def answer(writer) -> None:
        writer.write(written)
        await writer.drain()

    return answer


def then_reset(written: bytes):
    async def answer(writer) -> None:
        writer.write(written)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return answer


def then_silence(written: bytes):
    async def answer(writer) -> None:
        writer.write(written)
        await asyncio.Event().wait()

    return answer


WHOLE = said(b"connection: close")
BODY_AT = len(WHOLE) - len(BODY)
PLACES = {
    "nothing": 0,
    "status line": 12,
    "headers": 30,
    "body": BODY_AT,
    "half a body": BODY_AT + 20,
    "all but a byte": len(WHOLE) - 1,
}

READ = {
    "folded header": said(b"anthropic-ratelimit-a: 1\r\n 2"),
    "header twice": said(b"anthropic-ratelimit-a: 1", b"Anthropic-Ratelimit-A: 2"),
    "UTF-8 header": said("anthropic-ratelimit-a: café".encode()),
    "latin-1 header": said("anthropic-ratelimit-a: café".encode("latin-1")),
    "latin-1 reason": said().replace(b"OK", "Geänd".encode("latin-1")),
    "no reason": said().replace(b" OK", b""),
    "long header": said(b"x-a: " + b"a" * 1_000_000),
    "chunks": HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks(BODY),
    "gzip": said(b"content-encoding: gzip", body=gzip.compress(BODY)),
    "gzip in chunks": HEAD
    + b"content-encoding: GZIP\r\ntransfer-encoding: chunked\r\n\r\n"
    + chunks(gzip.compress(BODY)),
    "deflate": said(b"content-encoding: deflate", body=zlib.compress(BODY)),
    "deflate without a head": said(b"content-encoding: deflate", body=zlib.compress(BODY, wbits=-15)),
    "twice packed": said(b"content-encoding: deflate, gzip", body=gzip.compress(zlib.compress(BODY))),
    "identity": said(b"content-encoding: identity"),
    "called gzip, unpacked": said(b"content-encoding: gzip"),
    "called deflate, unpacked": said(b"content-encoding: deflate"),
    "100 first": b"HTTP/1.1 100 Continue\r\n\r\n" + said(),
    "103 first": b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + said(),
    "HTTP/1.0": then_close(said().replace(b"1.1", b"1.0")),
    "no length": then_close(HEAD + b"\r\n" + BODY),
    "a large body": said(body=json.dumps({**MESSAGE, "more": "a" * 2_000_000}).encode()),
    "events unasked": stream(start_event(), *end_events()),
    "no reason to stop": http(200, {**MESSAGE, "stop_reason": None}),
    "a bad cookie": said(b"set-cookie: \xff=\xe9;;=", b"set-cookie: a=b; domain=elsewhere.example"),
}
FAILED = {
    **{f"{status}": http(status, error_body("api_error", "no")) for status in (300, 400, 401, 403, 404, 413, 429, 529)},
    **{f"{status} of a gateway": http(status, b"<h1>no</h1>") for status in (204, 302, 403, 405, 407, 502, 999)},
    "redirect": http(307, headers={"location": "https://elsewhere.example/a"}),
    "latin-1 reason of an error": http(400, b"no").replace(b"Whatever", "Ungültig".encode("latin-1")),
    "packed error": said(b"content-encoding: gzip", body=gzip.compress(b"no")).replace(b"200 OK", b"529 No"),
    "brotli": said(b"content-encoding: br", body=b"\x0b\x02\x80aaa"),
    "half a gzip": said(b"content-encoding: gzip", body=gzip.compress(BODY)[:40]),
    "length too short": said(b"connection: keep-alive", length=len(BODY) - 5),
    "no length at all": said().replace(b"content-length: ", b"content-length: x"),
    "two lengths": said(b"content-length: %d" % len(BODY)),
    "length and chunks": said(b"transfer-encoding: chunked", body=chunks(BODY)),
    "no chunks": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n" + BODY,
    "chunks without an end": then_close(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks(BODY)[:-5]),
    "half JSON": http(200, b"{"),
    "an error in a 200": http(200, error_body("overloaded_error", "Overloaded")),
    "wait": http(429, error_body("rate_limit_error", "slow down"), headers={"retry-after": "1.5"}),
    "no HTTP": b"220 mail.example ESMTP\r\n\r\n",
    "TLS alert": then_close(b"\x15\x03\x01\x00\x02\x02\x46"),
    "upgrade": then_close(b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"),
}
BROKEN = {
    **{f"close after {name}": then_close(WHOLE[:at]) for name, at in PLACES.items()},
    **{f"reset after {name}": then_reset(WHOLE[:at]) for name, at in PLACES.items()},
}
SILENT = [then_silence(b""), then_silence(WHOLE[: BODY_AT + 20])]
BROKEN |= {"silence": SILENT[0], "silence halfway": SILENT[1]}


def opened(url: str, **changes):
    given = {"timeout": Timeout(), "stream": "auto", "concurrency": 1, "env": {}, "api_key": KEY, **changes}
    return open_client(base_url=url, **given)


REQUEST = a_request()
KNOWN, OTHER = a_request(betas=("known",)), a_request(betas=("of-another-kind",))


async def both(answer, *, kept: bool = True, **limits):
    """What is made of the answer on the whole way and on the short one, and how many connections that took."""
    made = []
    async with serving(KEPT) as server, opened(server.url, timeout=Timeout(**limits)) as client:
        await client.send(KNOWN)
        for request in (REQUEST, KNOWN):
            assert (kind_of(request) in client.repeated.made) == (request is KNOWN)
            server.answers[:] = [KEPT if kept else CLOSED]
            await client.send(OTHER)
            client.reuse.alone, before = 0, server.connections
            server.answers[:] = [answer, KEPT]
            outcome = await client.send(request)
            assert isinstance(await client.send(request), Reply)
            made.append((outcome, server.connections - before))
    return made


@pytest.mark.parametrize("answer", READ.values(), ids=READ)
def test_a_reply_is_the_same_both_ways(answer):
    whole, short = asyncio.run(both(answer))
    assert short == whole
    assert isinstance(whole[0], Reply), whole


@pytest.mark.parametrize("answer", FAILED.values(), ids=FAILED)
def test_a_failure_is_the_same_both_ways(answer):
    whole, short = asyncio.run(both(answer))
    assert short == whole
    assert isinstance(whole[0], Failure), whole


@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_off_is_the_same_both_ways(answer, kept):
    whole, short = asyncio.run(both(answer, kept=kept, read=1.0 if answer in SILENT else 60.0))
    assert short == whole
    assert (whole[0].retryable, whole[0].maybe_billed) == (True, True)
    assert "RawResponseMessage" not in whole[0].message


# ---------------------------------------------------------------- what goes out


async def asked(answers, requests, path="", host="127.0.0.1", **changes):
    """What the server received of these requests."""
    async with serving(*answers, host=host) as server, opened(server.url + path, **changes) as client:
        for request in requests:
            assert isinstance(await client.send(request), Reply)
        assert len(client.repeated.made) == len({request.betas for request in requests})
        return server.received


def cookies_of(*set_cookies: str, requests=(REQUEST,) * 4, path: str = "") -> list[str | None]:
    """The cookies of each request, when the answers set these, in turn."""
    set_ = [{"set-cookie": cookie} if cookie else {} for cookie in set_cookies]
    answers = [http(200, MESSAGE, headers={"connection": "keep-alive", **header}) for header in set_]
    return [one.headers.get("cookie") for one in asyncio.run(asked(answers, requests, path))]


@pytest.mark.parametrize("path", ["", "/", "/a/b c/é%2Fx/", "/a//b/../c;x=1"])
def test_the_address_is_the_same_both_ways(path):
    first, *later = asyncio.run(asked([KEPT], [REQUEST] * 3, path))
    assert {one.line for one in later} == {first.line}
    assert first.line.endswith("/v1/messages HTTP/1.1")


@pytest.mark.parametrize(
    ("written", "host", "sent"), [("[::1]", "::1", "[::1]"), ("LOCALHOST", "127.0.0.1", "localhost")]
)
def test_the_host_is_the_same_both_ways(written, host, sent):
    async def run():
        async with serving(KEPT, host=host) as server:
            port = server.url.rpartition(":")[2]
            async with opened(f"http://{written}:{port}") as client:
                outcomes = [await client.send(REQUEST) for _ in range(3)]
            return outcomes, {one.headers["host"] for one in server.received}, f"{sent}:{port}"

    try:
        outcomes, hosts, expected = asyncio.run(run())
    except OSError:
        pytest.skip("this machine has no such address")
    assert [type(outcome) for outcome in outcomes] == [Reply] * 3
    assert hosts == {expected}


@pytest.mark.parametrize(
    "headers",
    [{"Cookie": 'mine=1; two="a b"'}, {"X-Mixed": "A b", "x-latin": "café"}, {"authorization": "Basic abc"}],
)
def test_own_headers_are_the_same_both_ways(headers):
    first, *later = asyncio.run(asked([KEPT], [REQUEST] * 3, client=ClientSpec(headers=headers)))
    assert {name.lower() for name in headers} <= set(first.headers)
    assert all(list(one.headers.items()) == list(first.headers.items()) for one in later)


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_credentials_are_the_same_both_ways(monkeypatch, name):
    monkeypatch.setenv(name, "of-the-environment")
    received = asyncio.run(asked([KEPT], [REQUEST] * 2, api_key=None))
    assert [one.headers["authorization"] for one in received] == ["Bearer of-the-environment"] * 2


# ---------------------------------------------------------------- cookies

ALTERNATING = (REQUEST, REQUEST, OTHER, REQUEST, replace(OTHER, betas=("third",)))


def test_both_ways_have_one_set_of_cookies():
    assert cookies_of("a=1", "a=2", "a=3", "", requests=ALTERNATING) == [None, "a=1", "a=2", "a=3", "a=3"]


def test_a_cookie_that_was_taken_back_is_sent_neither_way():
    assert cookies_of("a=1", "a=; max-age=0", "", requests=ALTERNATING) == [None, "a=1", None, None, None]


@pytest.mark.parametrize(
    "cookie", ["a=1; domain=elsewhere.example", "a=1; path=/elsewhere", "a=1; secure", "a=1; max-age=0"]
)
def test_a_cookie_for_elsewhere_is_sent_neither_way(cookie):
    assert cookies_of(cookie, "", requests=ALTERNATING) == [None] * 5


def test_a_cookie_goes_below_its_path():
    assert cookies_of("a=1; path=/base", "", requests=ALTERNATING[:3], path="/base") == [None, "a=1", "a=1"]


# ---------------------------------------------------------------- tokens in bodies

TOKEN = {"ORDERS_TOKEN": "swordfish-1"}
WITH_TOKEN = b'{"mcp_servers":[{"name":"orders","authorization_token":"***"}]}'


@pytest.mark.parametrize(
    "answer",
    [
        http(200, {**MESSAGE, "content": [{"type": "text", "text": "swordfish-1"}]}),
        http(400, error_body("invalid_request_error", "no such token: swordfish-1")),
        http(200, b"swordfish-1"),
        b"swordfish-1 is no HTTP\r\n\r\n",
        said(b"swordfish-1: 1", b"content-length: swordfish-1"),
    ],
    ids=["reply", "error", "no message", "no HTTP", "bad header"],
)
def test_a_token_is_sent_and_shown_neither_way(answer):
    requests = [a_request(body=WITH_TOKEN, secrets={"orders": "ORDERS_TOKEN"}, betas=betas) for betas in ((), ("b",))]

    async def run():
        async with serving(KEPT) as server, opened(server.url, tokens=TOKEN) as client:
            await client.send(requests[1])
            outcomes = []
            for request in requests:
                server.answers[:] = [answer]
                outcomes.append(await client.send(request))
            return outcomes, [one.json["mcp_servers"][0]["authorization_token"] for one in server.received]

    (whole, short), sent = asyncio.run(run())
    assert (short, sent) == (whole, ["swordfish-1"] * 3)
    assert "swordfish" not in repr(whole)


# ---------------------------------------------------------------- broken off by us


@pytest.mark.parametrize("short", [False, True], ids=["whole way", "short way"])
@pytest.mark.parametrize("written", [0, 20, BODY_AT, BODY_AT + 20])
def test_a_cancelled_request_leaves_no_connection_for_the_next(short, written):
    late = said(body=json.dumps({**MESSAGE, "id": "late"}).encode())

    async def run():
        began, cancelled = asyncio.Event(), asyncio.Event()

        async def half(writer) -> None:
            writer.write(late[:written])
            await writer.drain()
            began.set()
            await cancelled.wait()
            writer.write(late[written:])

        async with serving(KEPT, half, KEPT) as server, opened(server.url) as client:
            await client.send(REQUEST if short else OTHER)
            sending = asyncio.create_task(client.send(REQUEST))
            await began.wait()
            sending.cancel()
            await asyncio.wait([sending])
            cancelled.set()
            return sending.cancelled(), await client.send(REQUEST), server.connections

    was_cancelled, reply, connections = asyncio.run(run())
    assert was_cancelled
    assert (reply.message, connections) == (MESSAGE, 2)
