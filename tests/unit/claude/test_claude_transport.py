"""Exceptions of the transport, as it raises them, and the failures behind them."""

from __future__ import annotations

import ssl

import aiohttp
import httpx2
from anthropic import APIConnectionError

from runner.claude.transport import failure_of_exception


def raised(cause: Exception) -> Exception:
    """A failed connection as the SDK raises it, around what the transport made of `cause`."""
    error = APIConnectionError(request=httpx2.Request("POST", "https://example.invalid/v1/messages"))
    error.__cause__ = httpx2.ConnectError("cannot connect")
    error.__cause__.__cause__ = cause
    return error


def test_a_certificate_that_is_not_trusted_ends_the_run_and_says_what_to_set():
    failure = failure_of_exception(raised(ssl.SSLCertVerificationError("self-signed certificate")), now=0)
    assert (failure.kind, failure.ends_run, failure.maybe_billed) == ("authentication", True, False)
    assert "certificate is not trusted" in failure.message
    assert "self-signed certificate" in failure.message
    assert "`SSL_CERT_FILE`" in failure.message
    assert "ANTHROPIC_BASE_URL" in failure.message


def test_a_handshake_that_breaks_may_work_the_next_time():
    failure = failure_of_exception(raised(ssl.SSLError("the peer reset the handshake")), now=0)
    assert (failure.kind, failure.retryable) == ("connection", True)


def test_a_connection_that_was_closed_before_the_request_was_sent_costs_nothing():
    failure = failure_of_exception(
        raised(aiohttp.ClientConnectionResetError("Cannot write to closing transport")), now=0
    )
    assert (failure.kind, failure.retryable, failure.maybe_billed) == ("connection", True, False)
    assert failure.message.startswith("the server closed the connection before the request was sent: ")


def test_no_class_name_stands_for_words_where_there_are_some():
    timeout = httpx2.ConnectTimeout("Connection timeout to host https://example.invalid")
    timeout.__cause__ = TimeoutError()
    error = APIConnectionError(request=httpx2.Request("POST", "https://example.invalid/v1/messages"))
    error.__cause__ = timeout
    failure = failure_of_exception(error, now=0)
    assert failure.message == "no connection in time: Connection timeout to host https://example.invalid"
