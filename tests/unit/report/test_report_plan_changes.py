"""What changed since the last run, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from runner.prompts.changes import Change, Changes, Newest
from runner.report.plan_changes import changes_json, changes_lines, start_text

RUN = "20261122T092811.123Z-7f3a"
NEWEST = Newest(RUN, 1000, whole=True, same=False, finished=True)
SAME = Newest(RUN, 1000, whole=True, same=True, finished=True)
EDITED = Change("T-17", {"model": "claude-haiku-5-5"}, 1, ("prompt",))
CASES = {
    "nothing earlier": None,
    "all reused": Changes(reused=1000, newest=SAME),
    "one edited": Changes(changed=1, reused=999, why={("prompt",): 1}, first_changed=[EDITED], newest=NEWEST, gone=0),
    "system prompt": Changes(changed=1000, why={("system",): 1000}, first_changed=[EDITED], newest=NEWEST, gone=0),
    "several reasons": Changes(
        new=7,
        changed=12,
        again=3,
        reused=980,
        identical=2,
        why={("system",): 10, ("model", "system", "parameters"): 1, (): 1},
        first_new=[Change(f"new-{n}", {}, 0) for n in range(5)],
        first_changed=[EDITED],
        newest=NEWEST,
        gone=2,
    ),
    "unfinished with another plan": Changes(
        new=1, reused=3, first_new=[Change("a", {}, 0)], newest=Newest(RUN, 4, True, False, False), gone=1
    ),
    "goes on": Changes(new=600, answered=400, newest=Newest(RUN, 1000, True, True, False), goes_on=RUN),
    "other order": Changes(reused=10, newest=NEWEST, gone=0),
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
def test_what_the_plan_says(changes: Changes | None, snapshot: SnapshotAssertion) -> None:
    assert "\n".join(changes_lines(changes)) == snapshot


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
def test_what_a_run_says_first(changes: Changes | None, snapshot: SnapshotAssertion) -> None:
    assert start_text(changes) == snapshot


def test_what_a_program_reads(snapshot: SnapshotAssertion) -> None:
    assert changes_json(None) is None
    told: Any = changes_json(CASES["several reasons"])
    assert json.dumps(told, indent=1) == snapshot


def test_an_id_does_not_act_on_the_terminal() -> None:
    changes = Changes(new=1, first_new=[Change("a\x1b[31m\nb", {"m": "\x1b"}, 0)], newest=NEWEST)
    assert "\x1b" not in "".join(changes_lines(changes))
    assert changes_lines(changes)[-1] == "    new      a [31m b (m:)"
