"""What may follow a first call: no conversation that `follow` allows takes more than its course says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.prompts.after import After
from runner.prompts.courses import COMPLAINT_TOKENS, Follows, course_of, follows_of
from runner.records import Terms
from runner.spec.job import OutputSpec

SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("after", "terms", "follows"),
    [
        (None, Terms(), Follows()),
        (None, Terms(uses=2), Follows(pauses=10)),
        (None, Terms(unbounded=("code_execution",)), Follows(pauses=10)),
        (None, Terms(compacts=True), Follows(pauses=10)),
        (After(output=OutputSpec(SCHEMA)), Terms(), Follows(asks=2)),
        (After(output=OutputSpec(SCHEMA, on_invalid="fail")), Terms(), Follows()),
        (After(output=OutputSpec()), Terms(), Follows()),
        (After(on_truncated="double"), Terms(), Follows(doubles=True)),
        (After(turns=[{}, {}, {}], first=1), Terms(), Follows(turns=2)),
    ],
)
def test_what_may_follow_is_read_from_the_request(after, terms, follows):
    assert follows_of(SimpleNamespace(after=after, terms=terms)) == follows


def test_the_calls_of_one_turn_are_counted():
    assert course_of(Follows()).calls == 1
    assert course_of(Follows(turns=3, asks=2, doubles=True)).calls == 12


PARTS = st.floats(0, 1)


@given(
    turns=st.integers(1, 4), asks=st.integers(0, 2), doubles=st.booleans(), pauses=st.integers(0, 3),
    most=st.integers(0, 5_000), written=st.integers(0, 3_000), data=st.data(),
)  # fmt: skip
def test_no_conversation_takes_more(turns, asks, doubles, pauses, most, written, data):
    """Every call is played: it reads what was said before, and says something of any length that is allowed."""
    follows = Follows(turns, asks, doubles, pauses)
    course = course_of(follows)
    said, taken, longest, calls = data.draw(st.just(most)), 0, 0, 0
    for turn in range(turns):
        if turn:
            said += round(most * data.draw(PARTS))
        kinds = ["turn", *data.draw(st.permutations(["ask"] * asks + ["double"] * doubles + ["pause"] * pauses))]
        for kind in kinds:
            said += COMPLAINT_TOKENS if kind == "ask" else 0
            taken, longest, calls = taken + said, max(longest, said), calls + 1
            said += round(written * data.draw(PARTS))
    assert calls == course.calls
    assert taken <= course.taken.of(most, written)
    assert longest <= course.longest.of(most, written)


def test_the_greatest_conversation_is_no_less_than_the_bound_by_much():
    course = course_of(Follows(asks=2))
    assert course.taken.of(1_000, 100) == 3 * 1_000 + (0 + 1 + 2) * 100 + (0 + 1 + 2) * COMPLAINT_TOKENS
