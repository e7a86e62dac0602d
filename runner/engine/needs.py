"""What a request takes of a model's limits, and its reservation. Records only: no clock, no arithmetic but sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from runner.engine.bucket import Mark
from runner.records import Request


class Needs(NamedTuple):
    """What a request takes of each bucket, in the order of `told.KINDS`; by estimate before its reply."""

    requests: float
    input: float
    output: float
    tokens: float


NOTHING: Final = Needs(0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True, eq=False)
class Ticket:
    """A reservation. marks: the buckets as they were. through: how many requests had got through before this one.

    read: whether its headers were looked at.
    """

    request: Request
    needs: Needs
    at: float
    marks: list[Mark]
    through: int
    read: bool = False


def needing(input: float, output: float) -> Needs:
    return Needs(1.0, input, output, input + output)
