"""Connections: kept for the next request, and not trusted once the server has hung up on one."""

from __future__ import annotations

import asyncio
import socket
import threading

import httpx2
import pytest
from scripted_server import MESSAGE, a_request, exchange, http, opened, serving

from runner.claude.connections import ALONE, has_ended, open_http
from runner.errors import SpecError
from runner.records import Failure, Reply, Timeout

KEPT = http(200, MESSAGE, headers={"connection": "keep-alive"})


class Known:
    """A transport that knows its socket."""

    def __init__(self, sock):
        self.sock = sock

    def get_extra_info(self, name):
        return self.sock if name == "socket" else None


def test_an_idle_connection_has_not_ended_and_one_with_a_goodbye_has():
    here, there = socket.socketpair()
    with here, there:
        assert not has_ended(Known(here))
        there.close()
        assert has_ended(Known(here))
    assert has_ended(Known(here))
    assert has_ended(None)


def test_what_nobody_asked_for_is_no_connection_to_use():
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert has_ended(Known(here))


class HangsUp:
    """A server in a thread that answers, keeps the connection, and closes it without a word when told to."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.told, self.closed = threading.Event(), threading.Event()
        self.connections = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, connection.makefile("rb") as lines:
                length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
                while lines.readline().strip():
                    pass
                lines.read(length)
                connection.sendall(KEPT)
                self.told.wait()
            self.closed.set()


def test_a_connection_that_the_server_closed_carries_no_request():
    server = HangsUp()

    async def run():
        async with opened(server.url) as client:
            first = await client.send(a_request())
            server.told.set()
            server.closed.wait()  # the loop stands still meanwhile: nobody has told aiohttp
            return first, await client.send(a_request()), client.reuse.alone

    with server.listener:
        first, second, alone = asyncio.run(run())
    assert [type(first), type(second)] == [Reply, Reply], second
    assert server.connections == 2
    assert alone == ALONE - 1


def connections_after(sends):
    """How many connections the server saw after each of so many requests; before the second one hung up."""

    async def run():
        seen = []
        async with serving(KEPT) as server, opened(server.url) as client:
            for n in range(sends):
                assert isinstance(await client.send(a_request()), Reply)
                seen.append(server.connections)
                if n == 0:
                    client.reuse.alone = 2
            return seen

    return asyncio.run(run())


def test_after_a_hang_up_requests_get_connections_of_their_own_for_a_while():
    assert connections_after(5) == [1, 2, 3, 3, 3]


async def hang_up(writer) -> None:
    """Close without a word."""


@pytest.mark.parametrize(("answer", "alone"), [(hang_up, ALONE), (http(529, b""), 0), (KEPT, 0)])
def test_a_broken_connection_is_a_hang_up(answer, alone):
    async def run():
        async with serving(answer) as server, opened(server.url) as client:
            await client.send(a_request())
            return client.reuse.alone

    assert asyncio.run(run()) == alone


@pytest.mark.parametrize("added", [{"x-long": "a" * 100_000}, {f"x-{n}": "a" for n in range(500)}])
def test_whatever_headers_a_gateway_adds_the_reply_is_read(added):
    assert exchange(http(200, MESSAGE, headers=added)).outcome.message == MESSAGE


# ---------------------------------------------------------------- settings of the environment


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named(monkeypatch, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(SpecError, match="`SSL_CERT_FILE`") as caught:
        open_http(timeout=httpx2.Timeout(1), concurrency=1, proxy=None)
    assert (caught.value.exit_code, caught.value.problems[0].rule) == (2, "certificates")


def test_a_proxy_that_is_none_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:hunter2@proxy.example:1")
    with pytest.raises(SpecError, match="`HTTPS_PROXY`") as caught:
        open_http(timeout=httpx2.Timeout(1), concurrency=1, proxy=None)
    assert (caught.value.exit_code, caught.value.problems[0].rule) == (2, "proxy")
    assert "hunter2" not in str(caught.value)


def sent_through(proxy_url, monkeypatch):
    async def run():
        async with opened("https://gateway.example", timeout=Timeout(total=30)) as client:
            return await client.send(a_request())

    monkeypatch.setenv("HTTPS_PROXY", proxy_url)
    outcome = asyncio.run(run())
    assert isinstance(outcome, Failure)
    return outcome


def test_a_socks_proxy_ends_the_run_and_says_what_is_possible(monkeypatch):
    failure = sent_through("socks5://127.0.0.1:1", monkeypatch)
    assert (failure.kind, failure.ends_run, failure.maybe_billed) == ("authentication", True, False)
    assert "`socks5`" in failure.message
    assert "http and https proxies" in failure.message


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [(407, "authentication", "user name and password"), (403, "authentication", "lets nobody through"),
     (502, "connection", "502")],
)  # fmt: skip
def test_a_proxy_that_refuses(monkeypatch, status, kind, says):
    async def run():
        answer = b"HTTP/1.1 %d No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status
        async with serving(answer) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with opened("https://gateway.example") as client:
                return await client.send(a_request()), proxy.received

    failure, received = asyncio.run(run())
    assert received[0].line == "CONNECT gateway.example:443 HTTP/1.1"
    assert (failure.kind, failure.maybe_billed) == (kind, False)
    assert says in failure.message
