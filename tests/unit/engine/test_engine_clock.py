"""The real clock's formats."""

from __future__ import annotations

import asyncio
import re

from runner.engine.clock import RealClock


def test_the_time_of_day_is_rfc_3339_in_utc_with_milliseconds():
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", RealClock().utc())


def test_time_never_goes_back_and_sleeping_takes_some():
    clock = RealClock()
    before = clock.now()
    asyncio.run(clock.sleep(0.001))
    assert clock.now() > before
