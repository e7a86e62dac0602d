"""Leader first, engine and client against the simulator's cache over a real socket: exact counts, faults included."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pytest

from runner.claude.client import open_client
from runner.engine.clock import RealClock
from runner.engine.live import Ended, Stop, run_live
from runner.records import Prefix, Request, Result, RetryPolicy, Source, Timeout
from runner.simulator import Simulator, SimulatorConfig
from runner.simulator.log import RequestLog

SYSTEM = "You sort support tickets with care, and you never guess. " * 150
SOON = RetryPolicy(base=0.01, cap=0.01)


class Results:
    """A sink that keeps results."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def sent(self, *_: Any) -> None: ...

    def attempt_failed(self, *_: Any) -> None: ...

    def replied(self, *_: Any) -> None: ...

    def done(self, result: Result) -> None:
        self.results.append(result)

    async def settled(self) -> None: ...


def request(n: int, variant: int = 0) -> Request:
    mark = {"cache_control": {"type": "ephemeral"}}
    body = {
        "model": "claude-opus-4-8",
        "max_tokens": 100,
        "system": [{"type": "text", "text": f"{SYSTEM}{variant}", **mark}],
        "messages": [{"role": "user", "content": f"ticket {n}"}],
    }
    return Request(
        n=n, id=str(n), cell={}, repeat=0, key=f"{n:064x}", model="claude-opus-4-8", max_tokens=100,
        body=orjson.dumps(body), source=Source("rows.csv", n + 2), prefixes=(Prefix(f"system {variant}", 300.0),),
    )  # fmt: skip


def send(
    requests: Iterator[Request], faults: Mapping[str, Sequence[int]], concurrency: int = 50
) -> tuple[Ended, Results, RequestLog]:
    sink = Results()
    config = SimulatorConfig(latency=0.02, fault_at=dict(faults))

    async def run() -> tuple[Ended, RequestLog]:
        async with (
            Simulator(config) as simulator,
            open_client(
                timeout=Timeout(), stream="auto", concurrency=concurrency, env={}, base_url=simulator.url, api_key="k"
            ) as client,
        ):
            ended = await run_live(
                requests, send=client.send, sink=sink, concurrency=concurrency, retry=SOON,
                clock=RealClock(), rng=random.Random(7), stop=Stop(),
            )  # fmt: skip
            return ended, simulator.log

    return *(outcome := asyncio.run(run()))[:1], sink, outcome[1]


def cached(sink: Results) -> tuple[int, int]:
    """(requests that wrote, requests that read)."""
    usages = [result.usage or {} for result in sink.results]
    wrote = sum(usage.get("cache_creation_input_tokens", 0) > 0 for usage in usages)
    return wrote, sum(usage.get("cache_read_input_tokens", 0) > 0 for usage in usages)


def test_one_write_and_the_rest_reads() -> None:
    _, sink, log = send((request(n) for n in range(400)), {})
    assert cached(sink) == (1, 399)
    assert (log.cache_writes, log.cache_reads) == (1, 399)
    assert log.most_in_flight <= 50


@pytest.mark.parametrize("fault", ["overloaded", "server_error", "dropped", "rate_limited"])
def test_a_leader_that_fails_before_its_reply_begins_is_replaced(fault: str) -> None:
    _, sink, log = send((request(n) for n in range(60)), {fault: [1]})
    assert {result.status for result in sink.results} == {"ok"}
    assert len(sink.results) == 60
    assert cached(sink) == (1, 59)
    assert log.cache_writes == 1


def test_two_leaders_fail_in_a_row() -> None:
    _, sink, log = send((request(n) for n in range(60)), {"overloaded": [1, 2]})
    assert cached(sink) == (1, 59)
    assert log.faults["overloaded"] == 2


@pytest.mark.parametrize("fault", ["dropped_stream", "truncated_stream", "stream_overload"])
def test_a_stream_that_breaks_off_has_begun_to_write(fault: str) -> None:
    _, sink, log = send((request(n) for n in range(60)), {fault: [1]})
    assert cached(sink) == (0, 60)  # the answer that wrote never arrived; its retry reads
    assert log.cache_reads == 60


def test_a_refused_leader_counts_as_begun() -> None:
    _, sink, _ = send((request(n) for n in range(60)), {"refusal": [1]})
    assert sorted(result.status for result in sink.results)[-1] == "refused"
    wrote, read = cached(sink)
    assert (wrote, read) == (1, 59)


def test_forty_variants_forty_writes() -> None:
    _, sink, _ = send((request(n, n % 40) for n in range(800)), {})
    assert cached(sink) == (40, 760)
