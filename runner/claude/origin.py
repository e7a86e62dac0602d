"""Where requests go when the environment redirects them; part of every key. Never imports `anthropic`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from runner.errors import SpecError
from runner.models.providers import ANTHROPIC, PROVIDERS
from runner.spec.job import ClientSpec

DEFAULT_ORIGIN = "https://api.anthropic.com"
DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(env: Mapping[str, str]) -> str | None:
    """`scheme://host[:port]` of ANTHROPIC_BASE_URL, or None when requests go where they go by default.

    User name, password, path and a port that is the scheme's own are left out. Raises SpecError for what is no
    http(s) URL. A base URL that comes from a profile of `ant auth login` is not seen here.
    Source: SDK 2.12.0, `AsyncAnthropic.__init__` (the argument, then ANTHROPIC_BASE_URL, then the profile).
    """
    written = env.get("ANTHROPIC_BASE_URL", "").strip()
    if not written:
        return None
    origin = origin_of_url(written)
    if origin is None:
        raise SpecError(
            "`ANTHROPIC_BASE_URL` is not an http(s) URL",
            next=f"Unset it, or set it to a URL such as `{DEFAULT_ORIGIN}`.",
            rule="base-url",
        )
    return None if origin == DEFAULT_ORIGIN else origin


def origin_of_url(url: str) -> str | None:
    """The origin of a URL in lower case, without user name and password; None when it has none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not host or not set(host).isdisjoint("% "):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port and port != DEFAULT_PORTS[parts.scheme] else "")


def service_of(client: ClientSpec, default: str, env: Mapping[str, str]) -> str:
    """Whom the answers of a job come from, as keys see it: the provider, and the origin that is not its own.

    default: what it is for the Claude API when the spec names no address.
    """
    if client.provider == ANTHROPIC and client.base_url is None:
        return default
    provider = PROVIDERS[client.provider]
    origin = origin_of_url(client.base_url or env.get(provider.base_url_variable, "").strip())
    return client.provider if origin in (None, DEFAULT_ORIGIN) else f"{client.provider} {origin}"
