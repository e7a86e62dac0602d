"""How many calls a request may take at most, and what they may add up to. Arithmetic only; `follow` decides what comes.

The bound of a plan rests on it. No reservation does: each call is reserved by itself, when its body is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runner.prompts.after import MOST_ASKED_AGAIN, MOST_CONTINUATIONS, After
from runner.records import Request

if TYPE_CHECKING:
    from runner.models.worst_case import Course

COMPLAINT_TOKENS: Final = 4_000
"""What the message that asks again is reckoned to have at most: a list of what a schema forbids in one reply."""


class Follows(NamedTuple):
    """What may follow a request's first call. turns: of its script, the first included; the others: in each turn."""

    turns: int = 1
    asks: int = 0
    doubles: bool = False
    pauses: int = 0

    @property
    def a_turn(self) -> int:
        return 1 + self.asks + self.doubles + self.pauses

    @property
    def calls(self) -> int:
        return self.turns * self.a_turn


def follows_of(request: Request) -> Follows:
    after: After | None = request.after
    terms = request.terms
    pauses = MOST_CONTINUATIONS if terms.uses or terms.unbounded or terms.compacts else 0
    if after is None:
        return Follows(pauses=pauses)
    checked = after.output is not None and after.output.schema is not None
    asks = checked and after.output is not None and after.output.on_invalid == "ask_again"
    return Follows(
        turns=max(1, len(after.turns) - after.first),
        asks=MOST_ASKED_AGAIN if asks else 0,
        doubles=after.on_truncated == "double",
        pauses=pauses,
    )


def course_of(follows: Follows) -> Course:
    """What all these calls may take together. A later turn's own text is reckoned as no longer than the first call.

    Each call reads what was said before: after j calls that is j replies, the texts of the turns so far, and a
    complaint for each time that it was asked again.
    """
    from runner.models.worst_case import Course, Sum  # loads what knows of prices

    turns, calls, asks = follows.turns, follows.calls, follows.asks
    earlier_turns = turns * (turns - 1) // 2
    others = follows.pauses + follows.doubles
    complaints = follows.a_turn * asks * earlier_turns + turns * (asks * (asks + 1) // 2 + others * asks)
    return Course(
        calls=calls,
        taken=Sum(calls + follows.a_turn * earlier_turns, calls * (calls - 1) // 2, complaints * COMPLAINT_TOKENS),
        longest=Sum(turns, calls - 1, turns * asks * COMPLAINT_TOKENS),
    )
