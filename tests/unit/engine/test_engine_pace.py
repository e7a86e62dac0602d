"""The pacer against servers of many kinds: how long it takes, how often it is refused, what always holds."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from engine_fakes import failure, request
from hypothesis import given, settings
from hypothesis import strategies as st
from pace_world import Play, Seen, World

from runner.engine.bucket import Bucket
from runner.engine.pace import MOST_IN_FLIGHT, Pace
from runner.engine.told import Told
from runner.spec.job import Limits

SEEDS = range(5)
N, BURST, RATE = 400, 20, 20.0
REQUESTS = {"limits": {"requests": 1200}, "bursts": {"requests": BURST}}
INPUT = {"limits": {"input-tokens": 120_000}, "bursts": {"input-tokens": 2_000}}
OUTPUT = {"limits": {"output-tokens": 60_000}, "bursts": {"output-tokens": 1_000}}
IDEAL = (N - BURST) / RATE
WAYS = [pytest.param(True, id="counted at the end"), pytest.param(False, id="counted at the start")]


def seen(n: int = N, **world: Any) -> list[Seen]:
    return [Play(World(seed=seed, **world), n).run() for seed in SEEDS]


def check(all_seen: list[Seen], *, seconds: float, refused: float) -> None:
    """The medians of time and of refused attempts are no more than these, and no request failed."""
    assert [one.failed for one in all_seen] == [0] * len(all_seen)
    assert median(one.seconds for one in all_seen) <= seconds
    assert median(one.share for one in all_seen) <= refused


# ---------------------------------------------------------------- the numbers


@pytest.mark.parametrize("at_end", WAYS)
@pytest.mark.parametrize("latency", [0.05, 0.2, 1.0, 5.0])
@pytest.mark.parametrize("limit", [REQUESTS, INPUT, OUTPUT], ids=["requests", "input tokens", "output tokens"])
def test_a_limit_that_nobody_told_is_used_fully(limit, latency, at_end):
    found = seen(**limit, latency=latency, at_end=at_end, jitter=0.05)
    late = 0.06 * latency  # the last replies may be that late
    check(found, seconds=1.03 * (IDEAL + latency) + late, refused=0.01)


@pytest.mark.parametrize("at_end", WAYS)
@pytest.mark.parametrize("latency", [0.05, 1.0])
def test_a_limit_on_all_tokens_together_is_used_fully_too(latency, at_end):
    limits = {"limits": {"requests": 60_000, "tokens": 180_000}, "bursts": {"tokens": 3_000}}
    check(seen(**limits, latency=latency, at_end=at_end), seconds=1.04 * (IDEAL + latency), refused=0.01)


@pytest.mark.parametrize("at_end", WAYS)
@pytest.mark.parametrize("burst", [5, 10, 60, 200])
def test_any_burst_is_used_and_not_overrun(burst, at_end):
    found = seen(limits={"requests": 1200}, bursts={"requests": burst}, at_end=at_end)
    check(found, seconds=1.04 * ((N - burst) / RATE + 0.2), refused=0.01)


@pytest.mark.parametrize("burst", [1, 2])
def test_a_bucket_of_hardly_a_request_still_works(burst):
    check(seen(limits={"requests": 1200}, bursts={"requests": burst}), seconds=1.15 * N / RATE, refused=0.01)


@pytest.mark.parametrize("at_end", WAYS)
def test_needs_that_vary_are_met_too(at_end):
    varied: dict[str, Any] = {"input": lambda rng: rng.randint(50, 150), "output": lambda rng: rng.randint(10, 90)}
    check(seen(**INPUT, **varied, at_end=at_end), seconds=1.04 * (IDEAL + 0.2), refused=0.01)
    check(seen(**OUTPUT, **varied, at_end=at_end), seconds=1.04 * (IDEAL + 0.2), refused=0.01)


@pytest.mark.parametrize("at_end", WAYS)
@pytest.mark.parametrize("latency", [0.05, 0.2, 1.0])
def test_a_limit_that_halves_midway_is_followed(latency, at_end):
    found = seen(**REQUESTS, latency=latency, at_end=at_end, change=(8.0, 0.5))
    check(found, seconds=1.10 * (8 + (N - BURST - 8 * RATE) / 10 + latency), refused=0.02)


@pytest.mark.parametrize("at_end", WAYS)
def test_a_limit_that_doubles_midway_is_used(at_end):
    found = seen(**REQUESTS, at_end=at_end, change=(8.0, 2.0))
    check(found, seconds=1.10 * (8 + (N - BURST - 8 * RATE) / 40 + 0.2), refused=0.01)


@pytest.mark.parametrize("at_end", WAYS)
@pytest.mark.parametrize("latency", [0.05, 0.2, 1.0])
def test_what_somebody_else_uses_is_left_to_them(latency, at_end):
    found = seen(**REQUESTS, latency=latency, at_end=at_end, others=10.0)
    check(found, seconds=1.05 * (N - BURST) / (RATE - 10), refused=0.03)


@pytest.mark.parametrize("burst", [10, 20, 60])
def test_headers_that_tell_of_more_than_the_bucket_holds_are_not_believed(burst):
    found = seen(limits={"requests": 1200}, bursts={"requests": burst}, said={"requests": 1200})
    check(found, seconds=1.04 * ((N - burst) / RATE + 0.2), refused=0.01)


@pytest.mark.parametrize("retry_after", ["seconds", "exact", None])
@pytest.mark.parametrize("burst", [20, 60])
@pytest.mark.parametrize("latency", [0.05, 0.2, 1.0])
def test_without_headers_the_rate_is_found_out(latency, burst, retry_after):
    found = seen(
        limits={"requests": 1200}, bursts={"requests": burst}, headers=False, latency=latency,
        retry_after=retry_after, jitter=0.2,
    )  # fmt: skip
    check(found, seconds=1.2 * ((N - burst) / RATE + latency), refused=0.05)


@pytest.mark.parametrize("retry_after", ["seconds", "exact", None])
def test_a_fixed_concurrency_without_headers_is_no_storm_either(retry_after):
    found = [
        Play(
            World(**REQUESTS, headers=False, retry_after=retry_after, seed=seed),
            N,
            Pace("m", slow_start=False),
            most=50,
        )
        for seed in SEEDS
    ]
    check([play.run() for play in found], seconds=1.1 * (IDEAL + 0.2), refused=0.03)


@pytest.mark.parametrize("retry_after", ["seconds", "exact"])
@pytest.mark.parametrize("burst", [1, 2, 5])
def test_a_bucket_of_hardly_a_request_is_found_out_without_headers_too(burst, retry_after):
    """A pause of a second brings no more than the bucket holds, which says nothing of the rate."""
    found = seen(limits={"requests": 1200}, bursts={"requests": burst}, headers=False, retry_after=retry_after)
    check(found, seconds=1.5 * N / RATE, refused=0.03)


def test_a_bucket_of_a_single_request_behind_minute_headers_is_not_taken_for_two():
    """Two at once do not fit: such refusals say nothing about the rate, which fell with each."""
    worlds = [
        World(limits={"requests": 1200}, bursts={"requests": 1}, said={"requests": 1200}, seed=n)
        for n in (0, 7, 8, 16, 17)
    ]
    assert max(Play(world, N, tries=20).run().seconds for world in worlds) <= 1.6 * N / RATE


@pytest.mark.parametrize("burst", [1, 2])
def test_a_rate_that_was_found_out_is_doubted_slowly(burst):
    """Where each 429 costs a second in which the bucket fills no further."""
    found = seen(2000, limits={"requests": 1200}, bursts={"requests": burst}, headers=False)
    check(found, seconds=1.275 * 2000 / RATE, refused=0.0115)


def test_one_request_a_second_with_slow_replies():
    found = seen(90, limits={"requests": 60}, bursts={"requests": 1}, latency=2.0)
    check(found, seconds=1.1 * (90 + 2.0), refused=0.035)


@pytest.mark.parametrize("at_end", WAYS)
def test_two_sizes_of_requests_share_a_small_bucket(at_end):
    sizes: dict[str, Any] = {"input": lambda rng: rng.choice((50, 900)), "latency": 1.0, "at_end": at_end}
    limits = {"limits": {"requests": 60_000, "input-tokens": 120_000}, "bursts": {"input-tokens": 2_000}}
    check(seen(**limits, **sizes), seconds=1.08 * N * 475 / 2000, refused=0.015)


@pytest.mark.parametrize("at_end", WAYS)
def test_long_replies_are_not_asked_for_on_credit(at_end):
    """Output that varies tenfold and is booked five seconds later: five times what the bucket holds is in flight."""
    varied: dict[str, Any] = {"output": lambda rng: rng.randint(10, 100), "latency": 5.0, "at_end": at_end}
    limits = {"limits": {"requests": 60_000, "output-tokens": 60_000}, "bursts": {"output-tokens": 1_000}}
    check(seen(**limits, **varied), seconds=1.35 * (N * 55 / 1000 + 5), refused=0.015)


def test_four_thousand_a_minute_that_take_twenty_seconds_each():
    world = World(limits={"requests": 4000}, bursts={"requests": 66}, latency=20.0, jitter=0.3)
    found = Play(world, 4000, most=MOST_IN_FLIGHT).run()
    check([found], seconds=1.2 * (4000 - 66) / 66.7 + 26, refused=0.01)
    assert found.most_in_flight > 1200


def test_after_the_burst_requests_start_evenly():
    starts = sorted(Play(World(**REQUESTS), N).run().starts)
    gaps = [later - earlier for earlier, later in pairwise(starts[100:])]
    assert min(gaps) > 0.02
    assert max(gaps) < 0.09


# ---------------------------------------------------------------- what always holds


worlds = st.builds(
    World,
    limits=st.fixed_dictionaries({"requests": st.integers(60, 6000)}),
    bursts=st.fixed_dictionaries({"requests": st.integers(2, 100)}),
    headers=st.booleans(),
    at_end=st.booleans(),
    latency=st.floats(0.01, 3.0),
    jitter=st.floats(0, 0.9),
    retry_after=st.sampled_from(["seconds", "exact", None]),
    seed=st.integers(0, 1000),
)


@settings(max_examples=60, deadline=None)
@given(world=worlds)
def test_nobody_starves_and_every_reservation_is_settled(world):
    play = Play(world, 150, tries=100)
    found = play.run(longest=3000)
    assert found.failed == 0
    pace = play.pace
    assert (pace.in_flight, pace.input_in_flight) == (0, 0)
    assert [bucket.booked.owed for bucket in pace.buckets.each] == [pytest.approx(0, abs=1e-6)] * 3


@settings(max_examples=60, deadline=None)
@given(
    per_minute=st.integers(1, 100_000),
    size=st.integers(2, 5_000),
    needs=st.lists(st.floats(0.1, 100), min_size=1, max_size=200),
    idle=st.lists(st.floats(0, 5), min_size=200, max_size=200),
)
def test_a_truthful_bucket_is_never_overdrawn(per_minute, size, needs, idle):
    """The server takes at once what is sent, and says at once what remains."""
    bucket, now, level = Bucket(), 0.0, float(size)
    bucket.exact = True
    for need, pause in zip(needs, idle, strict=False):
        need = min(need, size / 2)
        now, level = now + pause, min(size, level + pause * per_minute / 60)
        bucket.refill(now)
        while (wait := bucket.wait(need)) > 1e-9:
            wait += 1e-6
            now, level = now + wait, min(size, level + wait * per_minute / 60)
            bucket.refill(now)
        mark = bucket.take(need, now)
        level -= need
        assert level >= -1.0  # what remains is told in whole numbers
        bucket.told(Told(per_minute, float(int(max(0, level)))), mark, need, now, 0.0)


@settings(max_examples=100, deadline=None)
@given(ops=st.lists(st.tuples(st.sampled_from("tarfd"), st.floats(0, 2)), max_size=80), limits=st.booleans())
def test_whatever_happens_something_may_start_when_nothing_is_in_flight(ops, limits):
    pace, now, flying = Pace("m"), 0.0, []
    if limits:
        pace.cap(Limits(requests_per_minute=30, input_tokens_per_minute=100, output_tokens_per_minute=100))
    told = {
        "anthropic-ratelimit-requests-limit": "60", "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-input-tokens-limit": "50", "anthropic-ratelimit-input-tokens-remaining": "0",
    }  # fmt: skip
    needs = pace.needs(request(0), 0)
    for op, seconds in ops:
        now += seconds
        if op == "t" and pace.wait(needs, now) <= 0:
            flying.append(pace.take(request(0), needs, now))
        elif flying and op == "a":
            pace.answered(flying.pop(), {"input_tokens": 900, "output_tokens": 9000}, told, now)
        elif flying and op == "r":
            pace.limited(flying.pop(), failure("rate_limited", retry_after=seconds * 10), now)
        elif flying and op == "f":
            pace.failed(flying.pop(), {}, now, strained=True)
        elif flying and op == "d":
            pace.dropped(flying.pop(), now)
    for ticket in flying:
        pace.dropped(ticket, now)
    assert pace.in_flight == 0
    waited = 0.0
    while (wait := pace.wait(needs, now)) > 0:
        assert wait < float("inf")
        now, waited = now + wait + 1e-6, waited + wait
        assert waited < 2_000_000


# ---------------------------------------------------------------- refusals


def started(pace: Pace, count: int, now: float = 0.0) -> list[Any]:
    needs = pace.needs(request(0), 0)
    return [pace.take(request(n), needs, now) for n in range(count)]


def test_a_429_pauses_everyone_for_as_long_as_it_says():
    pace = Pace("m")
    (ticket,) = started(pace, 1)
    pace.limited(ticket, failure("rate_limited", retry_after=30.0), 1.0)
    needs = pace.needs(request(0), 0)
    assert pace.wait(needs, 1.0) == 30.0
    assert pace.wait(needs, 30.9) == pytest.approx(0.1)
    assert pace.state(11.0).waits == 20.0


def test_429s_of_one_moment_are_one_episode():
    pace = Pace("m")
    tickets = started(pace, 10)
    for ticket in tickets:
        pace.limited(ticket, failure("rate_limited"), 1.0)
    assert pace.brake.in_a_row == 1
    assert pace.wait(pace.needs(request(0), 0), 1.0) == 0.25


def test_pauses_without_a_time_grow_until_something_gets_through():
    pace, now, waits = Pace("m"), 0.0, []
    for _ in range(4):
        (ticket,) = started(pace, 1, now)
        pace.limited(ticket, failure("rate_limited"), now)
        waits.append(pace.paused_until - now)
        now = pace.paused_until
    assert waits == [0.25, 0.5, 1.0, 2.0]
    (ticket,) = started(pace, 1, now)
    pace.answered(ticket, None, {}, now + 1)
    (ticket,) = started(pace, 1, now + 1)
    pace.limited(ticket, failure("rate_limited"), now + 2)
    assert pace.paused_until - (now + 2) == 0.25


def test_a_ramp_that_is_too_steep_is_climbed_again_gently():
    pace = Pace("m")
    Play(World(**REQUESTS), 100, pace).run()
    usual, now = pace.state(100.0).requests_per_minute, 100.0
    (ticket,) = started(pace, 1, now)
    pace.limited(ticket, failure("rate_limited", error_type="ramp_limit_exceeded", retry_after=1.0), now)
    rates = [pace.state(now).requests_per_minute]
    while len(rates) < 100 and rates[-1] != usual:
        (ticket,) = started(pace, 1, now + 1)
        now += 1
        pace.answered(ticket, None, {}, now)
        rates.append(pace.state(now).requests_per_minute)
    assert rates[0] < 0.75 * usual
    assert rates[-1] == usual
    assert all(1 <= later / earlier < 1.1 for earlier, later in pairwise(rates[:-1]))
    assert len(rates) > 5


def test_an_overloaded_server_is_not_left_alone_and_not_pressed():
    pace = Pace("m")
    tickets = started(pace, 4)
    pace.answered(tickets[0], None, {}, 1.0)
    for ticket in tickets[1:]:
        pace.failed(ticket, {}, 1.0, strained=True)
    assert pace.state(1.0).window == 4
    for n in range(9):
        (ticket,) = started(pace, 1, 2.0 + n / 10)
        pace.answered(ticket, None, {}, 2.05 + n / 10)
    assert pace.state(3.0).window == 4


# ---------------------------------------------------------------- what the author allows


def test_an_authors_limit_holds_from_the_first_request_on():
    pace = Pace("m")
    pace.cap(Limits(requests_per_minute=60))
    world = World(limits={"requests": 60_000}, latency=0.1)
    starts = Play(world, 40, pace).run().starts
    assert max(starts) >= 38
    assert max(sum(1 for at in starts if begin <= at < begin + 10) for begin in starts) <= 11
    assert pace.state(0.0).requests_per_minute == 60


def test_the_lowest_of_several_limits_holds():
    pace = Pace("m")
    pace.cap(Limits(requests_per_minute=600))
    pace.cap(Limits(requests_per_minute=120, input_tokens_per_minute=9000))
    state = pace.state(0.0)
    assert (state.requests_per_minute, state.input_tokens_per_minute, state.learned) == (120, 9000, "limits")


def test_a_request_larger_than_the_bucket_goes_alone():
    found = Play(World(limits={"input-tokens": 6_000}, bursts={"input-tokens": 500}, input=lambda rng: 2_000), 5).run()
    assert found.failed == 0


# ---------------------------------------------------------------- what is seen


def test_the_state_says_where_the_rates_come_from():
    pace = Pace("m")
    assert (pace.state(0.0).learned, pace.state(0.0).window) == ("nothing", 4)
    Play(World(**REQUESTS), 20, pace).run()
    state = pace.state(5.0)
    assert (state.learned, state.requests_per_minute, state.window) == ("headers", 1200, MOST_IN_FLIGHT)


def test_jobs_take_turns_at_one_model():
    pace = Pace("m")
    Play(World(**REQUESTS), 60, pace).run()
    now, order = 100.0, []
    needs = pace.needs(request(0), 0)
    while len(order) < 60:
        for job in "abc":
            if pace.wait(needs, now, job) <= 0:
                pace.dropped(pace.take(request(0), needs, now, job), now)
                order.append(job)
        now += 0.0105
    assert [order[-30:].count(job) for job in "abc"] == [10, 10, 10]


def test_cached_prefixes_do_not_count():
    pace = Pace("m")
    (ticket,) = started(pace, 1)
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 990, "cache_read_input_tokens": 0, "output_tokens": 5}
    pace.answered(ticket, usage, {}, 1.0)
    body = b"x" * len(ticket.request.body)
    whole = pace.needs(request(0, body=body * 100), 0).input
    warm = pace.needs(request(0, body=body * 100), 90 * len(body)).input
    assert warm == pytest.approx(whole / 10)
