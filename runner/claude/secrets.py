"""Puts tokens from the environment into the bytes that are sent; they are in no record, key, log or file.

A request's body has a placeholder where a token belongs, and says which variable holds it. Only the tokens of
`mcp_servers` are looked at, never text: a prompt that spells the placeholder is sent as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from runner.errors import Position, Problem
from runner.records import SECRET, Json, Outcome, Reply, Request

SHORTEST: Final = 8
"""Characters of a token that is looked for in replies: a shorter one, a try-out, may be a word of the answer."""


class Unshown(bytes):
    """Bytes that show only their number: `ANTHROPIC_LOG=debug` has the SDK log every body it sends."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes with a token>"

    __str__ = __repr__


def with_secrets(body: bytes, names: Mapping[str, str], env: Mapping[str, str]) -> bytes:
    """The body with the token of each server in `names` (server → variable); the same bytes when there is none."""
    if not names:
        return body
    tree = orjson.loads(body)
    for server in tree.get("mcp_servers") or ():
        variable = names.get(server.get("name"))
        if variable is not None and server.get("authorization_token") == SECRET:
            server["authorization_token"] = env.get(variable, SECRET)
    return orjson.dumps(tree)


def secret_values(request: Request, env: Mapping[str, str]) -> tuple[str, ...]:
    """What has to be cut out of a message about this request, should a server repeat it."""
    return tuple(env[name] for name in request.secrets.values() if env.get(name))


def without_secrets(outcome: Outcome, values: Sequence[str]) -> Outcome:
    """The same outcome, with the placeholder where its reply repeats a token. Failures come without them."""
    long = [value for value in values if len(value) >= SHORTEST]
    if not long or not isinstance(outcome, Reply):
        return outcome
    return replace(outcome, message=_cut(outcome.message, long))


def _cut(value: Json, secrets: Sequence[str]) -> Json:
    if isinstance(value, dict):
        return {_cut(key, secrets): _cut(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, SECRET)
    return value


def missing_secrets(
    names: Iterable[str], env: Mapping[str, str], where: Position | None = None, *, needed_by: str = "mcp_servers"
) -> list[Problem]:
    """A problem for each variable that a job needs and the environment does not have, or has empty."""
    return [
        Problem("env-missing", f"the environment has no `{name}`, which `{needed_by}` needs", where, next="set it")
        for name in dict.fromkeys(names)
        if not env.get(name, "").strip()
    ]
