"""Where requests go when the environment redirects them; part of every key. Never imports `anthropic`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from runner.errors import SpecError

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
