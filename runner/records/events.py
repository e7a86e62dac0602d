"""What can be watched while a job is sent: one event for each thing that happened, and how fast it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from runner.records.attempts import Attempt
from runner.records.requests import Json, Request
from runner.records.results import Result


@dataclass(frozen=True, slots=True)
class PaceState:
    """How fast one model is asked right now. Rates are a minute; None where no limit is known.

    window: the most in flight at the moment. learned: where the rates come from: `headers` of the API, `refusals`
    (429s without such headers), the author's `limits`, or nothing yet. waits: seconds left of a pause after a 429.
    """

    model: str
    in_flight: int
    window: int
    requests_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    learned: Literal["nothing", "headers", "refusals", "limits"] = "nothing"
    waits: float = 0.0

    def to_json(self) -> dict[str, Json]:
        return {
            "model": self.model,
            "window": self.window,
            "requests_per_minute": self.requests_per_minute,
            "input_tokens_per_minute": self.input_tokens_per_minute,
            "output_tokens_per_minute": self.output_tokens_per_minute,
            "learned": self.learned,
        }


class Sending(Protocol):
    """What can be seen of a job while it is sent; asked by whoever shows it, whenever they like."""

    @property
    def in_flight(self) -> int: ...
    @property
    def waiting(self) -> int:
        """Requests that wait: for a retry, a pace, a leader or money."""
        ...

    @property
    def spent_usd(self) -> float:
        """Booked by this run so far, over all its sittings, without what is reserved."""
        ...

    def paces(self) -> Sequence[PaceState]: ...


@dataclass(frozen=True, slots=True)
class SendingBegan:
    """Emitted once, before the first attempt."""

    sending: Sending


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """Emitted once per attempt; progress, logs and usage subscribe. waiting: seconds until the retry, else None.

    call: which of the request's calls, from 0. usage: the reply's, None for a failure. cost_usd: what it cost.
    """

    request: Request
    attempt: Attempt
    waiting: float | None = None
    call: int = 0
    usage: Mapping[str, Json] | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class RequestDone:
    """Emitted once per request, after its result is on disk."""

    result: Result = field(repr=False)


Event: TypeAlias = SendingBegan | AttemptEnded | RequestDone
