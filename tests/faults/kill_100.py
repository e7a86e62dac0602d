"""`make faults`: kill real runs a hundred times, at moments spread over the whole run, and print what was lost.

Ends with 1 when a received reply was lost, an answered request was sent again, or the kills were not what they are to
be: six in ten with requests in flight, half of them of dialogues and of answers asked for again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fault_kills import Figure, kill_repeatedly, undisturbed
from fault_moments import Moment, ending, first_request, index, leaving, planning, replies, retry_wait, rewrite
from fault_specs import ASK_AGAIN, LEADER, PLAIN, TURNS, Kind

SENDING: dict[str, list[Moment]] = {
    PLAIN.name: [retry_wait, replies(12), retry_wait],
    LEADER.name: [first_request, first_request, replies(16)],
    TURNS.name: [first_request, replies(14), replies(14), retry_wait],
    ASK_AGAIN.name: [first_request, replies(12), replies(12), replies(12)],
}
"""The moments of one run while requests are on their way, in order."""
AROUND: list[Moment] = [planning, rewrite, index, ending, leaving]
"""Moments before and after that; one or two are added to a run."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a new folder for the runs, to look at them afterwards")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        folder = chosen.keep or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        figure = kill_all(chosen.kills, chosen.seed, folder)
    print(figure)
    for name in ("lost", "resent", "differing"):
        if found := getattr(figure, name):
            print(f"  {name}: {', '.join(found)}")
    return 0 if holds(figure) else 1


def kill_all(wanted: int, seed: int, folder: Path) -> Figure:
    """Runs of every kind in turn until there were so many kills."""
    figure = Figure()
    kinds = [TURNS, PLAIN, ASK_AGAIN, LEADER]
    expected = {kind.name: undisturbed(kind, folder / kind.name) for kind in kinds}
    for number, (kind, moments) in enumerate(schedule(kinds, random.Random(seed))):
        if len(figure.kills) >= wanted:
            return figure
        left = wanted - len(figure.kills)
        run = folder / f"{kind.name}-{number}"
        kill_repeatedly(kind, moments[:left], seed + number, run, expected[kind.name], figure)
        print(f"  {len(figure.kills)} of {wanted} kills", file=sys.stderr, flush=True)
    raise AssertionError("the schedule never ends")


def schedule(kinds: list[Kind], rng: random.Random) -> Iterator[tuple[Kind, list[Moment]]]:
    """For ever: a kind of job, and the moments at which one run of it is killed."""
    while True:
        for kind in kinds:
            sending = SENDING[kind.name]
            around = rng.sample(AROUND, k=len(sending) // 2)
            yield kind, [*sending, *sorted(around, key=AROUND.index)]


def holds(figure: Figure) -> bool:
    kills = len(figure.kills)
    spread = figure.in_flight >= 0.6 * kills and figure.of_kinds(TURNS.name, ASK_AGAIN.name) >= 0.5 * kills
    told = figure.maybe_billed >= figure.unanswered
    return spread and told and not (figure.lost or figure.resent or figure.differing)


if __name__ == "__main__":
    sys.exit(main())
