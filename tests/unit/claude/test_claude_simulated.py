"""Whether an address is a simulator's, also while it is not running."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runner.claude.simulated import asks_simulator


def test_a_simulator_that_is_not_running_is_still_one() -> None:
    with socket.socket() as nobody:  # bound, and never listening: every connection is refused
        nobody.bind(("127.0.0.1", 0))
        assert asks_simulator(f"anthropic http://127.0.0.1:{nobody.getsockname()[1]}")


@pytest.mark.parametrize(("simulated", "expected"), [("1", True), (None, False)])
def test_whoever_listens_says_so(simulated: str | None, expected: bool) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if simulated:
                self.send_header("x-promptrun-simulated", simulated)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert asks_simulator(f"anthropic http://127.0.0.1:{server.server_address[1]}") is expected
        thread.join()


def test_other_hosts_are_not_asked() -> None:
    assert not asks_simulator("anthropic https://gateway.test")
    assert not asks_simulator("anthropic")
