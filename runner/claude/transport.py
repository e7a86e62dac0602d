"""Exceptions of the SDK and its HTTP library → `Failure`. What was never sent is told apart from what may be billed."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator

import httpx2
from anthropic import AnthropicError, APIConnectionError, APIStatusError

from runner.claude.failures import CHECK_BASE_URL, failure_of_response
from runner.claude.wording import one_line
from runner.records import Failure

NEVER_SENT = frozenset(
    {"ConnectTimeout", "ConnectionTimeoutError", "ClientConnectorError", "PoolTimeout", "ProxyError"}
)
"""Exceptions that mean no connection came about, by class name, as aiohttp is not this layer's to import.

`httpx2.ConnectError` is not among them: the transport raises it for every `aiohttp.ClientConnectionError`, a server
that hangs up halfway included (SDK 2.12.0, `_vendor/httpx_aiohttp/transport.py`).
"""


LOGINS = ("google.auth", "botocore")
"""Modules whose exceptions mean that a provider's login failed; they are optional, so they are told by name."""


def no_login(error: BaseException) -> bool:
    """The SDK says that AWS or Google gave it no credential in a plain RuntimeError (2.12.0)."""
    return isinstance(error, RuntimeError) and str(error).startswith("Could not resolve")


def failure_of_exception(error: Exception, *, now: float, secrets: Iterable[str] = ()) -> Failure:
    """The failure behind an exception raised before a response's headers were there."""
    if isinstance(error, APIStatusError):
        response = error.response
        return failure_of_response(response.status_code, response.headers, response.content, now=now, secrets=secrets)
    if isinstance(error, AnthropicError) and not isinstance(error, APIConnectionError):
        return failure_of_credentials(error, secrets=secrets)
    chain = list(causes(error))
    if any(type(cause).__module__.startswith(LOGINS) for cause in chain) or no_login(chain[-1]):
        return Failure("authentication", one_line(f"no access token: {chain[-1]}", secrets=secrets))
    unsent = any(cls.__name__ in NEVER_SENT for cause in chain for cls in type(cause).__mro__)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return Failure("authentication", one_line(untrusted(chain[-1]), secrets=secrets))
    detail = one_line(str(chain[-1]) or type(chain[-1]).__name__, secrets=secrets, limit=200)
    if any(isinstance(cause, httpx2.TimeoutException) for cause in chain):
        what = "no connection in time" if unsent else "no answer in time"
        return Failure("timeout", f"{what}: {detail}", maybe_billed=not unsent)
    what = "could not connect" if unsent else "the connection broke before the reply was there"
    return Failure("connection", f"{what}: {detail}", maybe_billed=not unsent)


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
