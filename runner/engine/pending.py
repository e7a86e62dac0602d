"""A request on its way: what was tried, what was answered, what it holds at the moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from runner.engine.pace import Ticket
from runner.records import Attempt, Call, NextCall, Request


@dataclass(slots=True)
class Pending:
    """sent: it was tried, or is being tried; began: when, on the engine's clock.

    calls: those that were answered; asked: the call under way, None for the first; attempts: those of that call;
    following: the request with the body of `asked`.
    known: whether it was looked up which calls an earlier sitting made. complete: they were all that it takes.
    may_cost: US dollars that its next attempt may cost at most; priced: whether that was looked up.
    ticket: what it holds of its model's limits, and of the budget, while it is handed out.
    """

    request: Request
    attempts: list[Attempt] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    asked: NextCall | None = None
    following: Request | None = None
    known: bool = False
    complete: bool = False
    sent: bool = False
    began: float = 0.0
    may_cost: float | None = None
    priced: bool = False
    ticket: Ticket | None = None

    @property
    def to_send(self) -> Request:
        """The request with the body of the call under way."""
        return self.request if self.following is None else self.following

    @property
    def needs_sending(self) -> bool:
        """Whether its result takes another reply: it can be sent, and not everything is answered."""
        return self.request.problem is None and not self.complete

    def ask(self, call: NextCall) -> None:
        """Go on with another call, whose attempts count from 1 again."""
        self.asked, self.attempts, self.priced = call, [], False
        self.following = replace(self.request, body=call.body, max_tokens=call.max_tokens)

    def take_up(
        self,
        replies_of: Callable[[int], Sequence[Call]],
        follow: Callable[[Request, Sequence[Call]], NextCall | None],
    ) -> None:
        """Go on behind the calls that an earlier sitting got answered. Before anything is reserved for it."""
        self.known = True
        self.calls.extend(replies_of(self.request.n))
        following = follow(self.request, self.calls) if self.calls else None
        if following is not None:
            self.ask(following)
        self.complete = bool(self.calls) and following is None
