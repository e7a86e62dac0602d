"""A few kills on every test run; `make faults` does a hundred (kill_100.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fault_kills import Figure, kill_repeatedly, undisturbed
from fault_moments import Moment, ending, first_request, planning, replies, retry_wait, rewrite
from fault_specs import ASK_AGAIN, TURNS, Kind


@pytest.mark.parametrize(
    ("kind", "moments"),
    [
        pytest.param(TURNS, [replies(8), retry_wait, rewrite], id="dialogues"),
        pytest.param(ASK_AGAIN, [planning, first_request, replies(40), ending], id="asked again"),
    ],
)
def test_a_killed_run_loses_nothing_and_pays_nothing_twice(
    kind: Kind, moments: Sequence[Moment], tmp_path: Path
) -> None:
    figure = Figure()
    expected = undisturbed(kind, tmp_path / "undisturbed")
    kill_repeatedly(kind, moments, 5, tmp_path / "killed", expected, figure, cautious=True)

    assert (figure.lost, figure.resent, figure.differing) == ([], [], []), figure
    assert figure.maybe_billed >= figure.unanswered, figure
