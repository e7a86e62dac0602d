"""Refusal fallbacks: who answers a declined request, and how the reply shows the hops.

https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback; shapes: `beta_fallback_block.py` and
`beta_fallback_message_iteration_usage.py` in `types/beta` of SDK 2.12.0. A conversation that once fell back is not
pinned to the fallback (a simplification)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from runner.simulator.asked import Asked
from runner.simulator.hops import bodies
from runner.simulator.messages import category, entry, refusal, reply


def refuses(asked: Asked, *, requested: bool) -> bool:
    """Whether this model declines a request that was chosen to be declined.

    Without a marker that names models, only the requested one does; the marker `refusal=all` makes every model.
    """
    value = asked.markers.get("refusal", "")
    names = [name.strip() for name in value.split(",")]
    if "all" in names or any(name.startswith("claude-") for name in names):
        return "all" in names or asked.model in names
    return requested


def served(asked: Asked, ask: Callable[[dict[str, Any]], Asked]) -> dict[str, Any]:
    """The reply to a request that its model declines. ask: a fallback's body → what it asks, with its cache use."""
    hops = [asked, *(ask(body) for body in bodies(asked.body))]
    declined = [asked]
    for hop in hops[1:]:
        if not refuses(hop, requested=False):
            return _joined(declined, hop, reply(hop))
        declined.append(hop)
    return refusal(asked) if len(hops) == 1 else _joined(declined[:-1], hops[-1], refusal(hops[-1]))


def _joined(declined: list[Asked], last: Asked, message: dict[str, Any]) -> dict[str, Any]:
    """The last hop's message, as the one request's."""
    hops = [*declined, last]
    seams = [_seam(before, after) for before, after in pairwise(hops)]
    first = declined[0]
    spent = [entry("message", refusal(hop)) for hop in declined]
    usage = {**message["usage"], "iterations": [*spent, entry("fallback_message", message)]}
    return {**message, "id": f"msg_sim_{first.hash[:24]}", "content": [*seams, *message["content"]], "usage": usage}


def _seam(before: Asked, after: Asked) -> dict[str, Any]:
    trigger = {"type": "refusal", "category": category(before)}
    return {"type": "fallback", "from": {"model": before.model}, "to": {"model": after.model}, "trigger": trigger}
