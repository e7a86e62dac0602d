"""Tokens that are fetched while a job runs: renewed once after a 401, and failing in the right way."""

from __future__ import annotations

import asyncio

import pytest
from anthropic import AnthropicError, AsyncAnthropic, DefaultAioHttpClient
from anthropic.lib.credentials import AccessToken, WorkloadIdentityError
from scripted_server import MESSAGE, a_request, error_body, http, serving

from runner.claude.client import Client
from runner.claude.credentials import require_credentials
from runner.records import Failure, Reply, Timeout

REJECTED = http(401, error_body("authentication_error", "expired"))


def send_with(provider, *answers):
    async def run():
        async with serving(*answers) as server:
            http_client = DefaultAioHttpClient(follow_redirects=False)
            async with AsyncAnthropic(
                credentials=provider, base_url=server.url, max_retries=0, http_client=http_client
            ) as sdk:
                require_credentials(sdk)
                outcome = await Client(sdk, Timeout(), "auto").send(a_request())
                return outcome, [one.headers["authorization"] for one in server.received]

    return asyncio.run(run())


class Tokens:
    """Gives a token after the other."""

    def __init__(self):
        self.forced = []

    async def __call__(self, *, force_refresh=False):
        self.forced.append(force_refresh)
        return AccessToken(f"token-{len(self.forced)}", expires_at=None)


def test_a_token_revoked_before_its_time_is_fetched_again_once():
    tokens = Tokens()
    outcome, sent = send_with(tokens, REJECTED, http(200, MESSAGE))
    assert isinstance(outcome, Reply)
    assert sent == ["Bearer token-1", "Bearer token-2"]
    assert tokens.forced == [False, True]


def test_a_second_401_is_the_accounts():
    outcome, sent = send_with(Tokens(), REJECTED)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.message, len(sent)) == ("authentication", "expired", 2)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AnthropicError("the refresh token was revoked"), "authentication"),
        (WorkloadIdentityError("exchange failed", status_code=400), "authentication"),
        (WorkloadIdentityError("exchange failed", status_code=503), "server_error"),
        (WorkloadIdentityError("exchange failed", status_code=429), "server_error"),
    ],
)
def test_a_token_that_cannot_be_had_sends_nothing(error, kind):
    async def provider(*, force_refresh=False):
        raise error

    outcome, sent = send_with(provider, http(200, MESSAGE))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.maybe_billed, sent) == (kind, False, [])
    assert outcome.message.startswith("no access token: ")
