"""What came while the process stood still is read before its time is up. The clock is the loop's own, moved by hand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine

import pytest

from runner.claude.within import Within
from runner.timer import TO_READ


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock jumps when told to, as it does for a process that was stopped and goes on."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def played(story: Coroutine[None, None, bytes]) -> bytes:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(story)


def stand_still(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    loop.ahead += seconds


async def read(seconds: float, *jumps: float, sent: bytes = b"") -> bytes:
    """What is read within so many seconds, when the process stands still after it began to wait."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)

        def stop(jump: float, *later: float) -> None:
            theirs.sendall(sent)
            stand_still(jump)
            if later:
                loop.call_soon(loop.call_soon, stop, *later)

        loop.call_soon(stop, *jumps)
        async with Within(seconds):
            return await loop.sock_recv(ours, 100)


def test_a_reply_that_came_while_the_process_stood_still_is_read() -> None:
    assert played(read(10, 3600, sent=b"paid for")) == b"paid for"


def test_without_a_reply_the_time_is_over_soon_after() -> None:
    with pytest.raises(TimeoutError):
        played(read(10, 3600, TO_READ))


def test_a_timer_that_is_in_time_ends_at_once() -> None:
    with pytest.raises(TimeoutError):
        played(read(10, 10))
