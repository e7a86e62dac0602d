"""Exceptions of the transport, as it raises them, and the failures behind them."""

from __future__ import annotations

import ssl

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
