"""Signals ask the run to stop; a second one stops it at once."""

from __future__ import annotations

import asyncio
import signal

import pytest

from runner.cli.signals import stopping_on_signals
from runner.engine.live import Stop

ONE_TURN_EACH = 3
"""signal → call_soon_threadsafe → handler: a few turns of the loop, never a wait."""


async def raise_and_settle(number: signal.Signals) -> None:
    signal.raise_signal(number)
    for _ in range(ONE_TURN_EACH):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_the_first_asks_and_the_second_insists(number: signal.Signals, reason: str) -> None:
    said: list[str] = []

    async def scenario() -> Stop:
        stop = Stop()
        with stopping_on_signals(stop, said.append):
            await raise_and_settle(number)
            assert (stop.reason, stop.at_once) == (reason, False)
            await raise_and_settle(number)
        return stop

    assert asyncio.run(scenario()).at_once
    assert len(said) == 1


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def scenario() -> None:
        with stopping_on_signals(Stop(), lambda text: None):
            assert signal.getsignal(signal.SIGTERM) is not before

    asyncio.run(scenario())
    assert signal.getsignal(signal.SIGTERM) is before
