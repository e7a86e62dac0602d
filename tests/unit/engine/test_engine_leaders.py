"""Leader first: one writes a cold prefix, the others wait, and whoever fails as leader is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from engine_fakes import FakeApi, failure, play, reply, request, requests
from virtual_time import LoopClock

from runner.engine.leaders import Leaders
from runner.engine.live import Stop
from runner.records import Began, Outcome, Prefix, Request, RetryPolicy

SYSTEM = Prefix("system", 300.0)


@dataclass
class CachingApi(FakeApi):
    """An API with a prompt cache: a prefix can be read once a response that writes it has begun.

    begins: seconds from sending until the reply begins, for those who listen. wrote, read: n of the requests that did.
    """

    begins: float = 1.0
    listened: list[int] = field(default_factory=list)
    wrote: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    entries: set[str] = field(default_factory=set)
    bodies: dict[int, bytes] = field(default_factory=dict)

    async def __call__(self, request: Request, began: Began | None = None) -> Outcome:
        hashes = {prefix.hash for prefix in request.prefixes}
        (self.read if hashes <= self.entries else self.wrote).append(request.n)
        self.bodies[request.n] = request.body
        fails = bool(self.script.get(request.n))
        if began is not None:
            self.listened.append(request.n)
        if not fails:
            asyncio.get_running_loop().call_later(self.begins, self._begin, hashes, request.n, began)
        return await super().__call__(request)

    def _begin(self, hashes: set[str], n: int, began: Began | None) -> None:
        self.entries |= hashes
        if began is not None:
            began(f"msg_{n}", {})


def sharing(count: int, *prefixes: Prefix, **changes: Any) -> Iterator[Request]:
    return requests(count, prefixes=prefixes or (SYSTEM,), **changes)


def test_four_hundred_rows_write_their_prefix_once() -> None:
    api = CachingApi()
    played = play(sharing(400), api, concurrency=50)
    assert (len(api.wrote), len(api.read)) == (1, 399)
    assert len(played.results) == 400
    assert 9.0 <= played.duration <= 9.1  # one reply ahead of 399 at fifty a second
    assert api.most_in_flight == 50


def test_plain_fan_out_would_have_written_fifty_times() -> None:
    """What the rule is for: without prefixes the same API is paid fifty writes."""
    api = CachingApi()
    play((request(n) for n in range(400)), api, concurrency=50)
    assert api.listened == []
    with_prefix = CachingApi()
    play(sharing(400), with_prefix, concurrency=50)
    assert with_prefix.listened == [0]


def test_forty_variants_make_forty_writes_in_parallel() -> None:
    api = CachingApi()
    rows = (request(n, prefixes=(Prefix(f"variant {n % 40}", 300.0),)) for n in range(2000))
    played = play(rows, api, concurrency=50)
    assert (len(api.wrote), len(api.read)) == (40, 1960)
    assert played.duration <= 2000 / 50 + 1.1


def test_followers_go_as_soon_as_the_reply_begins() -> None:
    api = CachingApi(begins=0.25, seconds=10.0)
    played = play(sharing(4), api, concurrency=4)
    assert [at for _, at in api.sent] == [0.0, 0.25, 0.25, 0.25]
    assert api.wrote == [0]
    assert played.duration == 10.25


def test_other_prefixes_and_requests_without_one_do_not_wait() -> None:
    api = CachingApi()
    rows = [*sharing(3), request(3, prefixes=(Prefix("other", 300.0),)), request(4)]
    play(rows, api, concurrency=4)
    assert [n for n, at in api.sent if at == 0.0] == [0, 3, 4]


def test_a_leader_that_fails_is_replaced_by_the_next() -> None:
    api = CachingApi(script={0: [failure("overloaded", http_status=529)]})
    played = play(sharing(4), api, concurrency=4, retry=RetryPolicy(base=8.0))
    assert [at for n, at in api.sent if n == 1] == [1.0]  # as soon as the first leader failed
    assert [at for n, at in api.sent if n in (2, 3)] == [2.0, 2.0]
    assert 0 in api.read  # when its retry is due, the prefix is warm
    assert set(played.statuses.values()) == {"ok"}


def test_a_leader_that_can_not_be_answered_is_replaced_too() -> None:
    api = CachingApi(script={0: [failure("invalid_request", http_status=400)]})
    played = play(sharing(3), api, concurrency=3)
    assert played.statuses == {0: "failed", 1: "ok", 2: "ok"}
    assert api.wrote == [0, 1]


def test_a_refused_leader_has_written() -> None:
    api = CachingApi(
        script={}, otherwise=lambda request: reply(stop_reason="refusal" if request.n == 0 else "end_turn")
    )
    played = play(sharing(3), api, concurrency=3)
    assert played.statuses == {0: "refused", 1: "ok", 2: "ok"}
    assert api.wrote == [0]


def test_a_model_that_is_given_up_leaves_nobody_waiting() -> None:
    api = CachingApi(script={0: [failure("model_not_found", http_status=404)]})
    played = play(sharing(5), api, concurrency=5)
    assert set(played.statuses.values()) == {"failed"}
    assert api.order == [0]


def test_a_failure_that_ends_the_run_leaves_the_followers_unsent() -> None:
    api = CachingApi(script={0: [failure("billing", http_status=402)]})
    played = play(sharing(5), api, concurrency=3)
    assert played.ended is not None
    assert played.ended.failure is not None
    assert (played.ended.abandoned, api.order) == (1, [0])
    assert played.ended.unsent >= 2


def stop_after_a_second(loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
    loop.call_later(1.0, stop.request, "interrupted")


def test_a_stop_while_followers_wait() -> None:
    api = CachingApi(seconds=5.0, begins=5.0)
    played = play(sharing(6), api, concurrency=3, later=stop_after_a_second)
    assert played.ended is not None
    assert played.ended.stopped == "interrupted"
    assert played.statuses == {0: "ok"}


def test_a_prefix_that_nobody_used_for_its_lifetime_has_a_leader_again() -> None:
    api = CachingApi(slow={1: 400.0})
    rows = [request(0, prefixes=(SYSTEM,)), request(1), request(2, prefixes=(SYSTEM,)), request(3, prefixes=(SYSTEM,))]
    play(rows, api, concurrency=1)
    assert api.listened == [0, 2]


def test_an_hour_lasts_longer() -> None:
    hour = Prefix("system", 3600.0)
    api = CachingApi(slow={1: 400.0})
    play([request(0, prefixes=(hour,)), request(1), request(2, prefixes=(hour,))], api, concurrency=1)
    assert api.listened == [0]


def test_a_shorter_prefix_is_written_once_before_the_longer_ones() -> None:
    """Images share the system prompt, and five languages share an image."""
    rows = [request(n, prefixes=(SYSTEM, Prefix(f"image {n // 5}", 300.0))) for n in range(20)]
    api = CachingApi()
    play(rows, api, concurrency=20)
    assert [n for n, at in api.sent if at == 0.0] == [0]
    assert [n for n, at in api.sent if at == 1.0] == [1, 2, 3, 4, 5, 10, 15]
    assert api.wrote == [0, 5, 10, 15]


def test_waiting_followers_are_bounded() -> None:
    taken = []

    def rows() -> Iterator[Request]:
        for n in range(1000):
            taken.append(n)
            yield request(n, prefixes=(SYSTEM,))

    most = []
    api = CachingApi(otherwise=lambda request: most.append(len(taken)) or reply())  # type: ignore[func-returns-value]
    play(rows(), api, concurrency=5)
    assert most[0] <= 5 * 4 + 5
    assert len(api.read) == 999


def test_what_is_remembered_is_bounded() -> None:
    leaders = Leaders(LoopClock())

    async def begin() -> None:
        for n in range(10_050):
            leaders.began(request(n, prefixes=(Prefix(f"prefix {n}", 300.0),)))

    asyncio.run(begin())
    assert len(leaders.warm) == 10_000


def test_diagnose_names_the_first_message_of_the_group() -> None:
    api = CachingApi(otherwise=lambda request: reply(id=f"msg_{request.n}"))
    play(sharing(3, body=b'{"a":1}'), api, concurrency=3, diagnose=True)
    asked = {n: orjson.loads(body)["diagnostics"]["previous_message_id"] for n, body in api.bodies.items()}
    assert asked == {0: None, 1: "msg_0", 2: "msg_0"}


def test_without_diagnose_the_body_is_sent_as_it_is() -> None:
    api = CachingApi()
    play(sharing(2, body=b'{"a":1}'), api)
    assert set(api.bodies.values()) == {b'{"a":1}'}
