"""Exceptions of the SDK and its HTTP library → `Failure`. What was never sent is told apart from what may be billed."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import httpx2
from anthropic import AnthropicError, APIConnectionError, APIStatusError

from runner.claude.connections import UnusableProxy
from runner.claude.failures import CHECK_BASE_URL, failure_of_response
from runner.claude.wording import one_line
from runner.records import Failure

PROXY_SAID = "ClientHttpProxyError"
NEVER_SENT = frozenset(
    {"ConnectTimeout", "ConnectionTimeoutError", "ClientConnectorError", "PoolTimeout", "ProxyError",
     PROXY_SAID}
)  # fmt: skip
"""Exceptions that mean no connection came about, by class name, as aiohttp is not this module's to import.

`httpx2.ConnectError` is not among them: the transport raises it for every `aiohttp.ClientConnectionError`, a server
that hangs up halfway included (SDK 2.12.0, `_vendor/httpx_aiohttp/transport.py`).
"""

CLOSED_BEFORE = "ClientConnectionResetError"
"""aiohttp was still to write (a part of) the request when it found the connection closed."""

NO_HTTP = frozenset({"ClientResponseError", "DecodingError"})
"""What came back breaks the rules of HTTP, or is not packed as it says; no part of it is given to anybody."""

TLS_ALERT = r"b'\x15\x03"
"""How aiohttp quotes an answer that begins as an alert of TLS does (RFC 8446, 5.1)."""

NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
"""What OpenSSL says of an answer that is no TLS."""

LOGINS = ("google.auth", "botocore")
"""Modules whose exceptions mean that a provider's login failed; they are optional, so they are told by name."""


def no_login(error: BaseException) -> bool:
    """The SDK says that AWS or Google gave it no credential in a plain RuntimeError (2.12.0)."""
    return isinstance(error, RuntimeError) and str(error).startswith("Could not resolve")


def failure_of_exception(error: Exception, *, now: float, secrets: Iterable[str] = ()) -> Failure:
    """The failure behind an exception raised before a response was there."""
    if isinstance(error, APIStatusError):
        response = error.response
        return failure_of_response(response.status_code, response.headers, response.content, now=now, secrets=secrets)
    if isinstance(error, AnthropicError) and not isinstance(error, APIConnectionError):
        return failure_of_credentials(error, secrets=secrets)
    chain = list(causes(error))
    wrong = wrong_setting(chain)
    if wrong is not None:
        return Failure("authentication", one_line(wrong, secrets=secrets))
    return failure_of_connection(chain, secrets=secrets)


def wrong_setting(chain: Sequence[BaseException]) -> str | None:
    """What only whoever runs the job can change, so that no retry helps; None for everything else."""
    last = chain[-1]
    if any(type(cause).__module__.startswith(LOGINS) for cause in chain) or no_login(last):
        return f"no access token: {last}"
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return untrusted(last)
        if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in NOT_TLS:
            return f"the server does not speak https at this port, and nothing was sent to it: {CHECK_BASE_URL}"
        if type(cause).__name__ == "BadStatusLine" and TLS_ALERT in str(cause):
            return f"the server speaks https at this port, and was asked in plain http: {CHECK_BASE_URL}"
        if isinstance(cause, httpx2.UnsupportedProtocol) or (isinstance(cause, UnicodeError) and "idna" in str(cause)):
            return f"the base URL cannot be used, {last}: {CHECK_BASE_URL}"
        if isinstance(cause, UnusableProxy):
            return f"{cause}: correct `HTTPS_PROXY` or `ALL_PROXY`"
        status = getattr(cause, "status", None)
        if type(cause).__name__ == PROXY_SAID and isinstance(status, int) and status < 500:
            why = "it wants a user name and password" if status == 407 else "it lets nobody through to this address"
            return f"the proxy answered {status}, and nothing was sent: {why}; check `HTTPS_PROXY` and `NO_PROXY`"
    return None


def failure_of_connection(chain: Sequence[BaseException], *, secrets: Iterable[str]) -> Failure:
    """No connection, a broken one, or silence; chain: the exception and its causes."""
    names = {cls.__name__ for cause in chain for cls in type(cause).__mro__}
    unsent = not names.isdisjoint(NEVER_SENT)
    detail = one_line(detail_of(chain), secrets=secrets, limit=200)
    if any(isinstance(cause, httpx2.TimeoutException) for cause in chain):
        what = "no connection in time" if unsent else "no answer in time"
        return Failure("timeout", f"{what}: {detail}", maybe_billed=not unsent)
    if not names.isdisjoint(NO_HTTP) and not unsent:  # an answer it was, and asking again would be paid for again
        return Failure("malformed_reply", f"the reply is not HTTP as it should be: {detail}", maybe_billed=True)
    if CLOSED_BEFORE in names:
        what = "the server closed the connection before the request was sent"
        return Failure("connection", f"{what}: {detail}")
    what = "could not connect" if unsent else "the connection broke before the reply was there"
    return Failure("connection", f"{what}: {detail}", maybe_billed=not unsent)


def detail_of(chain: Sequence[BaseException]) -> str:
    """The words of the innermost cause that has any; aiohttp puts a 400 before those about HTTP."""
    said: Any = next((cause for cause in reversed(chain) if str(cause)), chain[-1])
    if type(said).__name__ == "ServerDisconnectedError":  # its text may be the half of a response
        return "the server hung up"
    if type(said).__name__ == PROXY_SAID:
        return f"the proxy answered {said.status}"
    about_http = type(said).__module__ == "aiohttp.http_exceptions"
    return str(said.message if about_http else said) or type(said).__name__


def untrusted(error: BaseException) -> str:
    """Nobody gets our credential whom we cannot tell from the API; only a setting changes that, no retry."""
    step = f"{CHECK_BASE_URL}, or name your proxy's certificate in `SSL_CERT_FILE`"
    return f"the server's certificate is not trusted, and nothing was sent to it: {error}; {step}"


def failure_of_credentials(error: AnthropicError, *, secrets: Iterable[str] = ()) -> Failure:
    """A token could not be had. An outage of the token endpoint passes; anything else is for the account's owner."""
    status = getattr(error, "status_code", None)
    passing = isinstance(status, int) and (status >= 500 or status in (408, 429))
    what = one_line(f"no access token: {error}", secrets=secrets)
    return Failure("server_error" if passing else "authentication", what, http_status=status)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was raised from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__
