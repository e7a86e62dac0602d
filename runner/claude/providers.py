"""Opens the SDK's client of a provider, with its credentials found and checked before anything is sent.

Credentials come from each provider's own chain in the environment; none is an argument here. What is checked: that the
extra is installed, that the SDK takes the settings, and that there is a credential. Sends no request for Claude.
https://platform.claude.com/docs/en/build-with-claude/claude-on-amazon-bedrock, …/claude-on-vertex-ai,
…/claude-in-microsoft-foundry; SDK 2.12.0, `lib/`.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final

import anthropic
import httpx2
from anthropic import AnthropicError

from runner.claude.wording import one_line
from runner.errors import AccountError, SpecError
from runner.models.providers import PROVIDERS, Provider
from runner.spec.job import ClientSpec

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_ENTRA_SCOPE: Final = "https://ai.azure.com/.default"
_ENTRA_TOKEN: Final = "AZURE_ACCESS_TOKEN"  # noqa: S105 (the name of a variable, as in the documentation of Foundry)
_FOUNDRY_STEP: Final = (
    "Set ANTHROPIC_FOUNDRY_API_KEY; or, for Entra ID, install `azure-identity` and log in with `az login`, or set "
    "AZURE_ACCESS_TOKEN to what `az account get-access-token --resource https://ai.azure.com` prints."
)
_PROJECTS: Final = {
    "vertex": ("project_id", "ANTHROPIC_VERTEX_PROJECT_ID"),
    "google-cloud": ("project", "ANTHROPIC_GOOGLE_CLOUD_PROJECT"),
}


async def open_provider(client: ClientSpec, http: httpx2.AsyncClient, env: Mapping[str, str]) -> Any:
    """The SDK's async client for a provider that is not the Claude API.

    Raises SpecError for a missing extra or setting, AccountError when there is no usable credential.
    """
    provider = PROVIDERS[client.provider]
    require_extra(provider)
    arguments: dict[str, Any] = {**client.settings, "max_retries": 0, "http_client": http}
    if client.base_url is not None:
        arguments["base_url"] = client.base_url
    headers = headers_of(client, env)
    if headers:
        arguments["default_headers"] = headers
    arguments.update(await asyncio.to_thread(_LOGINS.get(provider.name, _no_login), client, provider))
    try:
        return getattr(anthropic, provider.sdk_class)(**arguments)
    except (AnthropicError, ValueError, httpx2.InvalidURL) as error:
        raise _unusable(provider, error) from None


def headers_of(client: ClientSpec, env: Mapping[str, str]) -> dict[str, str]:
    """The headers that the spec adds, those from the environment among them."""
    return {**client.headers, **{name: env.get(variable, "") for name, variable in client.header_variables.items()}}


def require_extra(provider: Provider, installed: Callable[[str], bool] | None = None) -> None:
    """Raises SpecError, with what to install, when a module is missing that the provider's login needs."""
    missing = [name for name in provider.modules if not (installed or _installed)(name)]
    if missing:
        what = f"the provider `{provider.name}` needs {' and '.join(f'`{name}`' for name in missing)}"
        step = f"Install it: pip install 'promptrun[{provider.extra}]'"
        are = "is" if len(missing) == 1 else "are"
        raise SpecError(f"{what}, which {are} not installed", next=step, rule="provider-extra")


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False


def _no_login(client: ClientSpec, provider: Provider) -> dict[str, Any]:
    return {}


def _aws_login(client: ClientSpec, provider: Provider) -> dict[str, Any]:
    """Looks for a login in AWS's own chain; the SDK finds the same one again when it signs a request."""
    key = "AWS_BEARER_TOKEN_BEDROCK" if provider.name == "bedrock" else "ANTHROPIC_AWS_API_KEY"
    profile = client.settings.get("aws_profile")
    if os.environ.get(key) and profile is None:
        return {}
    boto3 = importlib.import_module("boto3")
    step = f"Log in with `aws sso login` or `aws configure`, or set AWS_PROFILE or {key}."
    try:
        found = boto3.Session(profile_name=profile).get_credentials()
    except Exception as error:  # botocore's exceptions have no common public base but Exception
        raise _no_credentials(provider, step, error) from None
    if found is None:
        raise _no_credentials(provider, step)
    return {}


def _google_login(client: ClientSpec, provider: Provider) -> dict[str, Any]:
    """Google's default credentials with a first token, fetched once instead of by every request at the same time."""
    step = "Log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
    auth = importlib.import_module("google.auth")
    transport = importlib.import_module("google.auth.transport.requests")
    try:
        credentials, project = auth.default(scopes=[_SCOPE])
        credentials.refresh(transport.Request())
    except Exception as error:  # files that are no JSON, refused logins, no network
        raise _no_credentials(provider, step, error) from None
    name, variable = _PROJECTS[provider.name]
    if project is None or name in client.settings or os.environ.get(variable):
        return {"credentials": credentials}
    return {"credentials": credentials, name: project}


def _foundry_login(client: ClientSpec, provider: Provider) -> dict[str, Any]:
    """The key that the SDK reads itself, else a token of Entra ID, which it reads nowhere (`lib/foundry.py`)."""
    if os.environ.get("ANTHROPIC_FOUNDRY_API_KEY"):
        return {}
    if os.environ.get(_ENTRA_TOKEN):
        return {"azure_ad_token_provider": lambda: os.environ[_ENTRA_TOKEN].strip()}
    if not _installed("azure.identity"):
        raise _no_credentials(provider, _FOUNDRY_STEP)
    return entra_login(importlib.import_module("azure.identity"), provider)


def entra_login(identity: Any, provider: Provider) -> dict[str, Any]:
    """Azure's default credentials with a first token. identity: the module `azure.identity`, which renews tokens."""
    try:
        renewed = identity.get_bearer_token_provider(identity.DefaultAzureCredential(), _ENTRA_SCOPE)
        renewed()
    except Exception as error:  # azure-core's exceptions: no login found, or none that works
        raise _no_credentials(provider, _FOUNDRY_STEP, error) from None

    async def token() -> str:
        return str(await asyncio.to_thread(renewed))  # it may ask the network, or run `az`

    return {"azure_ad_token_provider": token}


_LOGINS: Final[Mapping[str, Callable[[ClientSpec, Provider], dict[str, Any]]]] = {
    "bedrock": _aws_login,
    "foundry": _foundry_login,
    "aws": _aws_login,
    "vertex": _google_login,
    "google-cloud": _google_login,
}


def _no_credentials(provider: Provider, step: str, error: Exception | None = None) -> AccountError:
    why = f": {one_line(str(error) or type(error).__name__)}" if error else ""
    return AccountError(f"there are no usable credentials for {provider.title}{why}", next=step, rule="credentials")


def _unusable(provider: Provider, error: Exception) -> AccountError | SpecError:
    """What the SDK says of its arguments; it has one exception for a missing login and a missing setting."""
    what = one_line(str(error))
    if "redential" in what:
        return _no_credentials(provider, "", error)
    takes = " or ".join(f"`client.{name}`" for name in provider.settings)
    step = f"Set {takes} in the spec, or the variable it names."
    return SpecError(f"{provider.title} cannot be asked: {what}", next=step, rule="client-setting")
