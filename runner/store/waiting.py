"""Waiting for a job's lock: asks again every second until whoever holds it has let go.

Knows no clock and no signal: how to sleep and whether to stop are arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from runner.errors import Interrupted, Terminated
from runner.store.lock import Held

POLL_SECONDS: Final = 1.0
Opened = TypeVar("Opened")


async def once_free(
    opening: Callable[[], Opened],
    *,
    sleep: Callable[[float], Awaitable[None]],
    stopped: Callable[[], str | None],
    say: Callable[[str], None],
) -> Opened:
    """What `opening` gives, as soon as it does not raise Held. stopped: why to give up; None: wait on.

    Says once for whom it waits. Raises Interrupted or Terminated when it was told to stop.
    """
    waits = False
    while (reason := stopped()) is None:
        try:
            return opening()
        except Held as held:
            if not waits:
                say(f"waiting: {held.problems[0].what}")
            waits = True
        await sleep(POLL_SECONDS)
    kind = Terminated if reason == "terminated" else Interrupted
    raise kind("stopped while waiting for the lock; nothing was sent")
