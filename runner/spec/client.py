"""`client:` as a ClientSpec, and whether it may be what it says: whose settings those are, and who allows the address.

A request carries a credential, so a spec alone cannot say where it goes: an address, proxy or header counts only on
this machine, or for a host that the person who runs the job allows. Asks no name server and opens no connection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from runner.models.providers import PROVIDERS, Provider
from runner.spec.job import ClientSpec
from runner.spec.near import listed

ALLOW_HOSTS: Final = "PROMPTRUN_ALLOW_HOSTS"
_COMMON: Final = ("provider", "base_url", "proxy", "headers")
_SECRET_HEADERS: Final = re.compile(r"authorization|api-?key|token|secret|cookie|credential", re.IGNORECASE)
_SETTING: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_IN_ADDRESSES: Final = ("aws_profile",)
Report = Callable[..., None]


def client_spec(tree: Mapping[str, Any]) -> ClientSpec:
    """The key `client` as written, with defaults; what it gets has passed the schema."""
    headers = tree.get("headers", {})
    return ClientSpec(
        provider=tree.get("provider", ClientSpec.provider),
        settings={name: value for name, value in tree.items() if name not in _COMMON},
        base_url=tree.get("base_url"),
        proxy=tree.get("proxy"),
        headers={name: value for name, value in headers.items() if isinstance(value, str)},
        header_variables={name: value["env"] for name, value in headers.items() if isinstance(value, Mapping)},
    )


def client_problems(client: ClientSpec, allow_hosts: Iterable[str], env: Mapping[str, str], report: Report) -> None:
    """Reports what is wrong with it: `report(rule, what, path, next=…)`."""
    allowed = frozenset(allowed_hosts(allow_hosts, env))
    provider = PROVIDERS[client.provider]
    _settings(client, provider, report)
    for name, url in (("base_url", client.base_url), ("proxy", client.proxy)):
        if url is not None:
            _address(name, url, allowed, report)
    _headers(client, provider, allowed, env, report)


def allowed_hosts(given: Iterable[str], env: Mapping[str, str]) -> Iterator[str]:
    """The hosts that `--allow-host` and the environment name, in lower case."""
    yield from (host.strip().lower() for host in given)
    yield from (host.lower() for host in re.split(r"[\s,]+", env.get(ALLOW_HOSTS, "")) if host)


def is_loopback(host: str) -> bool:
    """This machine by its name or number; a name that may resolve to anything else is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _settings(client: ClientSpec, provider: Provider, report: Report) -> None:
    for name, value in client.settings.items():
        path = ("client", name)
        if name not in provider.settings:
            known = f"it takes {listed(provider.settings)}" if provider.settings else "remove it"
            what = f"`{name}` is no setting of the provider `{provider.name}`"
            report("client-setting", what, path, next=known, on_key=True)
        elif name not in _NOT_IN_ADDRESSES and not _SETTING.fullmatch(value):
            what = f"`{name}` becomes part of an address, and holds what no address can"
            report("client-setting", what, path, next="write letters, digits, `.`, `_` and `-`")


def _address(name: str, url: str, allowed: frozenset[str], report: Report) -> None:
    path, parts = ("client", name), _split(url)
    if parts is None or not parts.hostname:
        report("client-setting", f"`{name}` is no http(s) URL", path, next="write `https://host/path`")
        return
    host = parts.hostname.lower()
    if "@" in parts.netloc:
        step = "remove them; credentials come from the environment"
        report("client-setting", f"`{name}` holds a user name or password", path, next=step)
    elif parts.query or parts.fragment:
        report("client-setting", f"`{name}` holds more than a host and a path", path, next="end it before `?` or `#`")
    elif is_loopback(host):
        return
    elif parts.scheme == "http":
        what = f"`{name}` leads to another machine without encryption"
        report("client-host", what, path, next="write `https://…`; plain http is for this machine only")
    elif host not in allowed:
        _not_allowed(f"`{name}` sends requests, and the credential, to `{host}`", host, path, report)


def _headers(
    client: ClientSpec, provider: Provider, allowed: frozenset[str], env: Mapping[str, str], report: Report
) -> None:
    for name in client.headers:
        if _SECRET_HEADERS.search(name):
            what = f"the header `{name}` looks like a credential"
            report("client-setting", what, ("client", "headers", name), next="write `{env: NAME}` for its value")
    host = _target(client, provider, env)
    if (client.headers or client.header_variables) and not is_loopback(host) and host not in allowed:
        _not_allowed(f"`headers` adds to what is sent to `{host}`", host, ("client", "headers"), report)


def _target(client: ClientSpec, provider: Provider, env: Mapping[str, str]) -> str:
    """The host that requests go to; the provider's domain when its own settings choose among many."""
    parts = _split(client.base_url or env.get(provider.base_url_variable, ""))
    return (parts.hostname or "").lower() if parts is not None and parts.hostname else provider.host


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and not re.search(r"[\s\\]", url) else None


def _not_allowed(what: str, host: str, path: tuple[str, ...], report: Report) -> None:
    step = f"if you mean it, add `--allow-host {host}`, or set {ALLOW_HOSTS}={host}"
    report("client-host", f"{what}, which a spec alone cannot decide", path, next=step)
