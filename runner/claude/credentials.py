"""Credentials: where none are, what to set; which of them a message must never show; a rejected token renewed once.

Where credentials come from is the SDK's business (https://platform.claude.com/docs/en/cli-sdks-libraries/sdks/python);
nothing here reads a profile or a token itself.
"""

from __future__ import annotations

from anthropic import AsyncAnthropic

from runner.claude.wording import one_line
from runner.errors import AccountError

WHAT_TO_SET = (
    "Set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN, or log in with `ant auth login`. "
    "To try the job without an account, add `--simulate`."
)


def require_credentials(sdk: AsyncAnthropic) -> None:
    """Raise AccountError unless requests of this client will carry a credential that can be sent."""
    for name, value in (("ANTHROPIC_API_KEY", sdk.api_key), ("ANTHROPIC_AUTH_TOKEN", sdk.auth_token)):
        if value is not None and not (value.isascii() and value.isprintable() and value == value.strip()):
            what = f"`{name}` cannot be sent: it holds a space, a line break or a letter no key has"
            raise AccountError(
                what, next="Set it again, without quotes or a line break at its end.", rule="credentials"
            )
    sent = {name.lower() for name, value in sdk.default_headers.items() if value}
    if sdk.credentials is None and not sent & {"authorization", "x-api-key"}:
        raise AccountError("there are no credentials for the Claude API", next=WHAT_TO_SET, rule="credentials")


def broken_credentials(error: Exception) -> AccountError:
    """What to say when the SDK found credentials it cannot use, such as a profile that is not JSON."""
    what = f"the credentials for the Claude API cannot be used: {one_line(str(error))}"
    return AccountError(what, next=WHAT_TO_SET, rule="credentials")


def secrets_of(sdk: AsyncAnthropic) -> tuple[str, ...]:
    """The static credentials of this client, to be taken out of messages."""
    kept = (getattr(sdk, "api_key", None), getattr(sdk, "auth_token", None))  # not every provider's client has both
    return tuple(secret for secret in kept if secret)


def forget_token(sdk: AsyncAnthropic) -> bool:
    """Whether a 401 may be due to a token revoked before its time: it is dropped, and the next attempt fetches one.

    The SDK does this inside its own retry loop only, which `max_retries=0` switches off (2.12.0, `_should_retry`).
    """
    cache = getattr(sdk, "_token_cache", None)
    if cache is None:
        return False
    cache.invalidate()
    return True
