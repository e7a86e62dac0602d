"""`checks:`: how many good answers are enough, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.spec.checks import checks_spec
from runner.spec.job import Checks


@pytest.mark.parametrize(
    ("written", "percent"),
    [(">= 99%", 99), (">=99%", 99), ("99%", 99), ("99.5 %", Decimal("99.5")), ("100.0%", 100), (">= 0%", 0)],
)
def test_a_share_as_people_write_it(written: str, percent: Decimal) -> None:
    assert checks_spec([{"ok": written}]).ok == percent


def test_without_checks_every_answer_has_to_be_good() -> None:
    checks = checks_spec(None)
    assert checks == Checks()
    assert (checks.passed(9, 10), checks.passed(10, 10), checks.passed(0, 0)) == (False, True, True)


def test_the_edge_is_exact() -> None:
    """In floating point 99.9 % of a thousand is a little more than 999."""
    checks = checks_spec([{"ok": ">= 99.9%"}])
    assert (checks.passed(999, 1000), checks.passed(998, 1000)) == (True, False)
    assert (checks.passed(999_000, 1_000_000), checks.passed(998_999, 1_000_000)) == (True, False)


@given(good=st.integers(0, 50), more=st.integers(0, 50), percent=st.integers(0, 100))
def test_more_good_answers_never_fail_a_check(good: int, more: int, percent: int) -> None:
    checks = checks_spec([{"ok": f"{percent}%"}])
    assert not checks.passed(good, 100) or checks.passed(good + more, 100)
