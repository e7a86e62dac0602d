"""Where requests go when the environment redirects them; part of every key. Never imports `anthropic`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from runner.errors import SpecError
from runner.models.providers import ANTHROPIC, PROVIDERS
from runner.spec.client import allowed_hosts, is_loopback
from runner.spec.job import ClientSpec

DEFAULT_ORIGIN = "https://api.anthropic.com"
DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(env: Mapping[str, str], allow_hosts: Iterable[str] = ()) -> str | None:
    """`scheme://host[:port]` of ANTHROPIC_BASE_URL, or None when requests go where they go by default.

    A path and a port that is the scheme's own are left out. Raises SpecError for what requests, which carry a
    credential, cannot go to: plain http leaves this machine only for hosts in `allow_hosts` or PROMPTRUN_ALLOW_HOSTS.
    A base URL that comes from a profile of `ant auth login` is not seen here.
    Source: SDK 2.12.0, `AsyncAnthropic.__init__` (the argument, then ANTHROPIC_BASE_URL, then the profile).
    """
    origin = _origin_in("ANTHROPIC_BASE_URL", env, allow_hosts)
    return None if origin == DEFAULT_ORIGIN else origin


def _origin_in(variable: str, env: Mapping[str, str], allow_hosts: Iterable[str]) -> str | None:
    """The origin that a variable names, None when it is not set; a SpecError repeats no more of it than the host."""
    written = env.get(variable, "").strip()
    if not written:
        return None
    origin = origin_of_url(written)
    if origin is None:
        step = f"Unset it, or set it to a URL such as `{DEFAULT_ORIGIN}`."
        raise SpecError(f"`{variable}` is not an http(s) URL", next=step, rule="base-url")
    parts = urlsplit(written)
    if "@" in parts.netloc:
        step = "Take them out; credentials come from variables of their own, such as ANTHROPIC_API_KEY."
        raise SpecError(f"`{variable}` holds a user name or password", next=step, rule="base-url")
    if parts.query or parts.fragment:
        step = "End it before `?` or `#`."
        raise SpecError(f"`{variable}` holds more than a host and a path", next=step, rule="base-url")
    host = (parts.hostname or "").lower()
    if parts.scheme == "http" and not is_loopback(host) and host not in set(allowed_hosts(allow_hosts, env)):
        step = f"Write `https://…`; or, where nobody can listen on the way, add `--allow-host {host}`."
        raise SpecError(f"`{variable}` leads to another machine without encryption", next=step, rule="base-url")
    return origin


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


def service_of(client: ClientSpec, default: str, env: Mapping[str, str], allow_hosts: Iterable[str] = ()) -> str:
    """Whom the answers of a job come from, as keys see it: the provider, and the origin that is not its own.

    default: what it is for the Claude API when the spec names no address.
    """
    if client.provider == ANTHROPIC and client.base_url is None:
        return default
    provider = PROVIDERS[client.provider]
    if client.base_url:
        origin = origin_of_url(client.base_url)
    else:
        origin = _origin_in(provider.base_url_variable, env, allow_hosts)
    return client.provider if origin in (None, DEFAULT_ORIGIN) else f"{client.provider} {origin}"
