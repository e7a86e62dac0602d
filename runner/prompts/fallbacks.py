"""Who answers what the model declines: the server-side `fallbacks` of a request. Pure.

`default` is sent where the spec says nothing and the model can decline: it costs nothing until a request is declined,
and the answer then comes from the model that Anthropic recommends.
https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from runner.models.rules import rule_for
from runner.records import Json, Request
from runner.spec.params import AUTO

ANTHROPIC: Final = "anthropic"
"""The one service that is known to take `fallbacks`; others get them only from a spec that asks."""

_BETA: Final = "server-side-fallback-"


def decided_fallbacks(fields: Mapping[str, Json], service: str) -> Mapping[str, Json]:
    """The rendered fields with the default of `fallbacks` decided, and without a `default` that would do nothing."""
    asked = fields.get("fallbacks")
    if asked != AUTO and (asked != "default" or not never_declines(fields["model"])):
        return fields
    rest = {name: value for name, value in fields.items() if name != "fallbacks"}
    return {**rest, "fallbacks": "default"} if asked == AUTO and service == ANTHROPIC and _wanted(rest) else rest


def _wanted(fields: Mapping[str, Json]) -> bool:
    """A token from an earlier refusal stands against it, as does a beta that takes lists only."""
    if "fallback_credit_token" in fields.get("extra_body", ()):
        return False
    if any(beta.startswith(_BETA) for beta in fields.get("betas", ())):
        return False
    return can_decline(fields["model"])


@lru_cache(maxsize=1024)
def can_decline(model: str) -> bool:
    """Whether the model is known to decline requests that another model may answer."""
    rules = rule_for(model)
    return rules is not None and bool(rules.fallbacks)


@lru_cache(maxsize=1024)
def never_declines(model: str) -> bool:
    """Whether the model is known to have no fallbacks."""
    rules = rule_for(model)
    return rules is not None and rules.fallbacks is False


def has_fallbacks(request: Request) -> bool:
    """Whether another model answers what its model declines; the header and the field go together."""
    return any(beta.startswith(_BETA) for beta in request.betas)


def asked_of(body: Mapping[str, Json], fields: Mapping[str, Json]) -> Mapping[str, Json]:
    """The body as its key sees it: `off` is another question where `default` would be sent."""
    if fields.get("fallbacks") == "off" and can_decline(body["model"]):
        return {**body, "fallbacks": "off"}
    return body
