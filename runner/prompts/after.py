"""What decides what comes after a request's first call. Holds data only; `follow` and `judge` read it.

It hangs on `Request.after`, so that the engine can hand a request on without looking into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from runner.records import Json, Request
from runner.spec.job import OutputSpec

MOST_CONTINUATIONS: Final = 10
"""Of one turn; what still pauses then is given up as truncated."""
MOST_ASKED_AGAIN: Final = 2
"""Of one turn; each is paid for."""


@dataclass(frozen=True, slots=True)
class After:
    """on_truncated: what becomes of a reply that `max_tokens` cut off. output: what a reply has to be, None: any text.

    turns: the whole script, compiled, as in `CellSpec.fields["turns"]`; first: which of them the request's body asks.
    names: what the templates of later turns see. moving: a `cache_control` for the last block of each later call's
    last message, so that the cache moves with the conversation.
    """

    on_truncated: Literal["fail", "accept", "double"] = "fail"
    output: OutputSpec | None = None
    turns: Sequence[Mapping[str, Any]] = ()
    first: int = 0
    names: Mapping[str, Json] = field(default_factory=dict)
    moving: Mapping[str, Json] | None = None


NOTHING = After()
"""For requests without turns and without wishes about their output."""


def after_of(request: Request) -> After:
    after: After = request.after or NOTHING
    return after


def after_fields(fields: Mapping[str, Any]) -> After | None:
    """What rendered request fields say about the calls after the first; None when they say nothing."""
    output, script = fields.get("output"), fields.get("turns")
    if output is None and script is None:
        return None
    after = After(output.on_truncated, output) if output is not None else NOTHING
    if script is None:
        return after
    return replace(after, turns=script.turns, first=script.first, names=script.names)
