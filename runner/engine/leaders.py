"""Leader first: of requests that share a cold prefix one is sent, and the others wait until its reply has begun.

A prefix can be read from the cache only once the response that writes it has begun, so requests sent together would
all pay for writing it: https://platform.claude.com/docs/en/build-with-claude/prompt-caching. Knows nothing of lanes or
retries: whoever fails as leader is simply no leader any more. Never sends, never writes.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import orjson

from runner.engine.clock import Clock
from runner.records import Request

if TYPE_CHECKING:
    from runner.engine.pending import Pending

MOST_KNOWN: Final = 10_000
"""Prefixes remembered as warm; one forgotten too early costs a wait, not a write."""


@dataclass
class Leaders:
    """Who leads, who follows, and until when a prefix is warm.

    leading: prefix → n of the request that writes it. waiting: followers, in their order. ready: followers that may
    go on, looked at before new requests. warm: prefix → when it will have been unused for too long.
    wake: called when somebody may go on. unheated: prefixes whose warm-up failed, and which a request has to write.
    """

    clock: Clock
    diagnose: bool = False
    leading: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, list[Pending]] = field(default_factory=dict)
    ready: deque[Pending] = field(default_factory=deque)
    warm: OrderedDict[str, float] = field(default_factory=OrderedDict)
    first_ids: OrderedDict[str, str] = field(default_factory=OrderedDict)
    wake: Callable[[], None] = lambda: None
    unheated: set[str] = field(default_factory=set)

    def may_go(self, pending: Pending) -> bool:
        """Whether it can be sent now, leading where nobody does; otherwise it waits here and comes back as `ready`."""
        request, now = pending.request, self.clock.now()
        cold = [prefix.hash for prefix in request.prefixes if self.warm.get(prefix.hash, now) <= now]
        for prefix in cold:
            if self.leading.get(prefix, request.n) != request.n:
                self.waiting.setdefault(prefix, []).append(pending)
                return False
        self.leading.update(dict.fromkeys(cold, request.n))
        return True

    def leads(self, request: Request) -> bool:
        return any(self.leading.get(prefix.hash) == request.n for prefix in request.prefixes)

    def warm_bytes(self, request: Request, now: float) -> int:
        """How much of it the cache is believed to hold: its longest prefix that is warm."""
        return max((prefix.size for prefix in request.prefixes if self.warm.get(prefix.hash, now) > now), default=0)

    def heatable(self, request: Request) -> str | None:
        """The prefix that a warm-up would write before this request: its longest, if it leads one not tried yet."""
        prefix = request.prefix
        return prefix if prefix is not None and self.leads(request) and prefix not in self.unheated else None

    def began(self, request: Request, message_id: str | None = None) -> None:
        """Its reply has begun: what it wrote or read is warm from now on, and its followers may go."""
        now = self.clock.now()
        if self.diagnose and message_id is not None:
            self._remember(request, message_id)
        for prefix in request.prefixes:
            self.warm[prefix.hash] = now + prefix.seconds
            self.warm.move_to_end(prefix.hash)
            if self.leading.get(prefix.hash) == request.n:
                self._release(prefix.hash)
        while len(self.warm) > MOST_KNOWN:
            self.warm.popitem(last=False)

    def left(self, request: Request) -> None:
        """It is not being sent any more. If it still leads, it failed: the next follower takes its place."""
        for prefix in request.prefixes:
            if self.leading.get(prefix.hash) == request.n:
                self._release(prefix.hash)

    def _release(self, prefix: str) -> None:
        del self.leading[prefix]
        followers = self.waiting.pop(prefix, ())
        self.ready.extend(followers)
        if followers:
            self.wake()

    # ------------------------------------------------------------ waiting for a leader

    def next_ready(self) -> Pending | None:
        return self.ready.popleft() if self.ready else None

    def pendings(self) -> Iterator[Pending]:
        yield from self.ready
        for followers in self.waiting.values():
            yield from followers

    # ------------------------------------------------------------ the API's own diagnosis

    def asking(self, request: Request) -> Request:
        """The request, with the question why its prefix was missed when the job asks that.

        https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics: null on a group's first request.
        """
        if not self.diagnose:
            return request
        question = {"previous_message_id": self.first_ids.get(_group(request))}
        return replace(request, body=request.body.rstrip()[:-1] + b',"diagnostics":' + orjson.dumps(question) + b"}")

    def _remember(self, request: Request, message_id: str) -> None:
        self.first_ids.setdefault(_group(request), message_id)
        while len(self.first_ids) > MOST_KNOWN:
            self.first_ids.popitem(last=False)


def _group(request: Request) -> str:
    """What is compared: requests that share a prefix, else all of a model."""
    return request.prefix or request.model
