"""How many requests of a model may be in flight at once, as far as limits do not say it already.

Begins small while nothing is known, doubles from reply to reply, gives way once for each episode of refusals, then
grows by one a window. Errors of an overloaded server stop the growth for a moment and slow it down from then on,
without emptying the pipe; latency far above the best that was seen stops it, too, where nothing else tells that a
server only queues. Pure arithmetic; seconds come in.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 4
STEP_SECONDS = 0.05
"""While no reply has come, one more may be in flight for each of these: a slow API must not mean an idle account."""
MOST_UNKNOWN = 500
UNKNOWN_TOKENS = 20_000
"""Input tokens in flight before anything is known."""
HELD_SECONDS = 2.0
AFTER_STRAIN = 0.25
SLOWED = 2.5
CUT, STRAINED_CUT = 0.7, 0.9
QUICK = 0.1


@dataclass(slots=True)
class Window:
    """most: never more. size: in flight at once. known: a reply came. step: by how much a reply lets it grow, 0 for a
    window's replies together by one. troubled: it had to give way once. held_until: no growth before.
    guarded: whether high latency stops the growth. pace: usual seconds of a reply; best: the least of those.
    lost: failures of the server since its last reply.
    """

    most: int
    size: float = FIRST
    known: bool = False
    step: float = 1.0
    begun: float | None = None
    held_until: float = 0.0
    pace: float = 0.0
    best: float = 0.0
    lost: int = 0
    troubled: bool = False
    guarded: bool = True

    def now(self, now: float) -> int:
        """How many may be in flight."""
        size = self.size
        if not self.known and self.begun is not None:
            size = min(MOST_UNKNOWN, size + (now - self.begun) / STEP_SECONDS)
        return max(1, min(self.most, int(size)))

    def next_step(self, now: float) -> float | None:
        """Seconds until there is more without any reply, None when there will not be."""
        if self.known or self.begun is None or self.now(now) >= min(self.most, MOST_UNKNOWN):
            return None
        steps = (now - self.begun) / STEP_SECONDS
        return (int(steps) + 1 - steps) * STEP_SECONDS + 1e-6

    def began(self, now: float) -> None:
        if self.begun is None:
            self.begun = now

    def heard(self, now: float) -> None:
        """Anything came back: from here on it is replies that let it grow."""
        if not self.known:
            self.size = self.now(now)
            self.known = True

    def replied(self, seconds: float, in_flight: int, now: float) -> None:
        """in_flight: with this one."""
        self.heard(now)
        self.lost = 0
        self.pace = seconds if not self.pace else self.pace + QUICK * (seconds - self.pace)
        self.best = min(self.best or self.pace, self.pace)
        slow = self.guarded and self.pace > SLOWED * self.best
        if now < self.held_until or slow or in_flight < self.size / 2:
            return
        self.size = min(self.most, self.size + (self.step or 1.0 / self.size))

    def cut(self, in_flight: int, *, learned: bool) -> None:
        """An episode of refusals begins. learned: whether a rate is known now that holds it back from here on."""
        self.step, self.troubled = 0.0 if learned else 1.0, True
        self.size = max(1.0, min(self.size, in_flight) * CUT)

    def strained(self, in_flight: int, now: float) -> None:
        """The server is overloaded or broken: grow no more for now, and give way when nothing at all gets through."""
        self.heard(now)
        self.step, self.troubled = min(self.step, AFTER_STRAIN), True
        self.lost += 1
        first = now >= self.held_until
        self.held_until = max(self.held_until, now + (HELD_SECONDS if first else 0.0))
        if first:
            self.size = max(FIRST, min(self.size, in_flight))
        elif self.lost > 2 * self.size:
            self.size, self.lost = max(FIRST, self.size * STRAINED_CUT), 0
