"""The live engine in virtual time, against a pretend API."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from engine_fakes import HAIKU, OPUS, FakeApi, FakeSink, failure, play, reply, request, requests
from virtual_time import LoopClock

from runner.engine.live import Ended, Stop
from runner.errors import OutputError, Problem, SpecError
from runner.models.worst_case import worst_case_usd
from runner.records import AttemptEnded, RequestDone, RetryPolicy, SendingBegan

FLAT = RetryPolicy(base=2.0, cap=2.0)
"""Waits between one and two seconds."""


# ---------------------------------------------------------------- the plain run


def test_every_request_gets_one_result_in_order_and_the_run_ends_clean():
    played = play(requests(10))
    assert played.api.order == list(range(10))
    assert played.statuses == dict.fromkeys(range(10), "ok")
    assert played.ended == Ended()


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_concurrency_is_reached_and_never_passed(concurrency):
    played = play(requests(300), concurrency=concurrency)
    assert played.api.most_in_flight == concurrency
    assert played.duration <= -(-300 // concurrency) + 1.1  # with one reply to begin with


def test_rows_are_taken_when_they_are_needed_and_no_sooner():
    taken = []

    def rows():
        for n in range(20):
            taken.append(n)
            yield request(n)

    api = FakeApi(otherwise=lambda request: reply(str(len(taken))))
    played = play(rows(), api, concurrency=2)
    assert [played.results[n].text for n in range(4)] == ["2", "3", "4", "5"]


def test_no_rows_at_all():
    assert play([]).ended == Ended()


def test_an_attempt_is_announced_with_what_it_may_cost_before_it_is_made():
    sink = FakeSink()
    api = FakeApi(otherwise=lambda request: reply(str(len(sink.lines))))
    played = play([request(0, body=b"x" * 1000)], api, sink=sink)
    cost = worst_case_usd(OPUS, 1000, 100)
    assert cost
    assert sink.lines[0] == ("sent", 0, (1, "2026-11-22T00:00:00.000Z", cost))
    assert played.results[0].text == "1"


def test_a_result_is_written_before_anyone_hears_of_it():
    sink, heard = FakeSink(), []
    play(requests(1), sink=sink, observe=lambda event: heard.append((type(event), len(sink.of("done")))))
    assert heard == [(SendingBegan, 0), (AttemptEnded, 1), (RequestDone, 1)]


def test_an_attempt_is_recorded_with_its_times_status_and_headers():
    attempt = play(requests(1)).results[0].calls[0].attempts[0]
    assert (attempt.n, attempt.at, attempt.seconds) == (1, "2026-11-22T00:00:00.000Z", 1.0)
    assert (attempt.http_status, attempt.request_id, attempt.headers) == (200, "req_1", {"request-id": "req_1"})


# ---------------------------------------------------------------- trying again


def test_what_may_pass_is_tried_again_and_every_attempt_is_kept():
    api = FakeApi({0: [failure("overloaded", http_status=529), failure("connection")]})
    played = play(requests(1), api, retry=FLAT)
    attempts = played.results[0].calls[0].attempts
    assert [(one.n, one.failure.kind if one.failure else None) for one in attempts] == [
        (1, "overloaded"), (2, "connection"), (3, None)]  # fmt: skip
    assert [one.n for one in played.sink.of("failed")] == [1, 2]
    assert [kind for kind, _, _ in played.sink.lines] == ["sent", "failed", "sent", "failed", "sent", "done"]
    first, second, third = api.times(0)
    assert 2 <= second - first <= 3
    assert 2 <= third - second <= 3


def test_observers_learn_how_long_the_wait_will_be():
    played = play(requests(1), FakeApi({0: [failure("overloaded")]}), retry=FLAT)
    waits = [event.waiting for event in played.attempts]
    assert waits[1] is None
    assert played.api.times(0)[1] == pytest.approx(1 + waits[0])


def test_after_the_last_retry_the_request_fails_with_its_last_failure():
    last = failure("timeout", maybe_billed=True)
    api = FakeApi({0: [failure("overloaded"), failure("overloaded"), last]})
    played = play(requests(1), api, retry=RetryPolicy(max=2))
    assert played.results[0].failure == last
    assert len(played.results[0].calls[0].attempts) == 3
    assert played.ended == Ended()


def test_a_row_can_have_a_policy_of_its_own():
    api = FakeApi(otherwise=lambda request: failure("overloaded"))
    played = play([request(0, retry=RetryPolicy(max=0)), request(1)], api, retry=RetryPolicy(max=3))
    assert [len(played.results[n].calls[0].attempts) for n in (0, 1)] == [1, 4]


def test_what_cannot_pass_is_not_tried_again():
    api = FakeApi({0: [failure("invalid_request")], 1: [failure("too_large")], 2: [failure("malformed_reply")]})
    played = play(requests(4), api)
    assert sorted(api.order) == [0, 1, 2, 3]
    assert played.statuses == {0: "failed", 1: "failed", 2: "failed", 3: "ok"}


def test_a_request_that_waits_holds_no_slot():
    api = FakeApi({0: [failure("overloaded", retry_after=100.0)]})
    played = play(requests(21), api, concurrency=1)
    assert max(at for n, at in api.sent if n) == 20
    assert api.times(0)[1] >= 101
    assert len(played.results) == 21


def test_due_retries_go_before_new_rows():
    api = FakeApi({0: [failure("overloaded")]})
    play(requests(50), api, concurrency=1, retry=FLAT)
    assert api.order.index(0, 1) <= 4


def test_a_storm_does_not_take_all_the_rows():
    taken = []

    def rows():
        for n in range(10_000):
            taken.append(n)
            yield request(n)

    def stop_later(loop, stop):
        loop.call_later(50, stop.request)

    api = FakeApi(otherwise=lambda request: failure("overloaded", retry_after=300.0))
    played = play(rows(), api, concurrency=3, later=stop_later)
    assert len(taken) <= 3 * 4 + 3
    assert played.ended.abandoned == len(taken)


def test_what_the_server_asks_for_is_waited_in_full():
    api = FakeApi({0: [failure("server_error", retry_after=30.0)]})
    play(requests(1), api, retry=FLAT)
    assert 32 <= api.times(0)[1] <= 33


def test_a_wait_beyond_the_jobs_limit_ends_the_run_for_now():
    asked = failure("overloaded", retry_after=601.0)
    played = play(requests(50), FakeApi({0: [asked]}), concurrency=2)
    assert played.results[0].failure == asked
    assert (played.ended.gave_up, played.ended.failure) == (asked, None)
    assert played.api.order == [0, 1]
    assert played.statuses == {0: "failed", 1: "ok"}


def test_a_wait_beyond_a_rows_own_limit_ends_that_row_only():
    api = FakeApi({0: [failure("overloaded", retry_after=30.0)]})
    played = play([request(0, retry=RetryPolicy(max_wait=10)), *(request(n) for n in range(1, 9))], api)
    assert played.ended.gave_up is None
    assert list(played.statuses.values()) == ["failed"] + ["ok"] * 8


def test_an_outage_ends_the_run_instead_of_wearing_out_every_row():
    down = failure("connection")
    played = play(requests(500), FakeApi(otherwise=lambda request: down), concurrency=5, retry=RetryPolicy(max=2))
    assert played.ended.gave_up == down
    assert 20 <= len(played.results) < 60
    assert {len(played.results[n].calls[0].attempts) for n in played.results} == {3}


def test_a_reply_in_between_means_it_is_no_outage():
    api = FakeApi(otherwise=lambda request: reply("fine") if request.n % 10 == 0 else failure("overloaded"))
    played = play(requests(200), api, concurrency=1, retry=RetryPolicy(max=0))
    assert played.ended.gave_up is None
    assert len(played.results) == 200


# ---------------------------------------------------------------- rate limits


def test_a_429_while_others_get_through_uses_up_no_retry():
    refused = failure("rate_limited", http_status=429, retry_after=1.0)
    api = FakeApi({7: [refused] * 6, 8: [refused] * 3 + [failure("overloaded")] * 3})
    rows = (request(n) for n in range(200))
    played = play(rows, api, retry=RetryPolicy(max=2))
    assert {n for n, status in played.statuses.items() if status != "ok"} == {8}
    assert len(played.results[7].calls[0].attempts) == 7
    assert len(played.results[8].calls[0].attempts) == 6


def test_no_retries_means_none_after_a_429_either():
    api = FakeApi({3: [failure("rate_limited", http_status=429, retry_after=1.0)]})
    played = play(requests(20), api, retry=RetryPolicy(max=0))
    assert len(played.results[3].calls[0].attempts) == 1
    assert played.ended.gave_up is None


def test_a_429_pauses_its_model_and_no_other():
    rows = [request(n, model=OPUS if n % 2 else HAIKU) for n in range(40)]
    api = FakeApi({1: [failure("rate_limited", http_status=429, retry_after=60.0)]})
    played = play(rows, api, concurrency=2)
    opus = [at for n, at in api.sent if n % 2 and at > 1]
    assert len(opus) == 20
    assert min(opus) >= 61
    assert sum(at < 61 for n, at in api.sent if not n % 2) >= 5
    assert set(played.statuses.values()) == {"ok"}


def test_after_a_429_waiters_come_back_one_after_the_other():
    limited = {n: [failure("rate_limited", retry_after=10.0)] for n in range(10)}
    api = FakeApi(limited)
    played = play(requests(10), api, concurrency=10, retry=RetryPolicy(base=0.001))
    again = sorted(at for _, at in api.sent if at > 1)
    assert min(again) >= 11
    unsure = [at for at in again if at < again[0] + api.seconds]  # until the first of them is answered
    assert len(unsure) >= 5
    assert min(after - before for before, after in pairwise(unsure)) >= 0.05
    assert max(again) >= 11.5
    assert set(played.statuses.values()) == {"ok"}


def test_a_limit_of_two_a_second_is_found_without_losing_a_row():
    """A bucket of 5 that gains 2 a second, 20 workers: without a pace most attempts would be 429s."""

    class Bucket:
        tokens, at = 5.0, 0.0

        def __call__(self, request):
            now = LoopClock().now()
            self.tokens, self.at = min(5.0, self.tokens + 2 * (now - self.at)), now
            if self.tokens < 1:
                return failure("rate_limited", retry_after=(1 - self.tokens) / 2)
            self.tokens -= 1
            return reply()

    played = play(requests(200), FakeApi(otherwise=Bucket(), seconds=0.2), concurrency=20)
    assert set(played.statuses.values()) == {"ok"}
    assert len(played.sink.of("failed")) <= 80
    assert played.duration <= 1.1 * (200 - 5) / 2


# ---------------------------------------------------------------- lanes and runs that end


@pytest.mark.parametrize("kind", ["model_not_found", "permission"])
def test_a_model_that_cannot_be_used_fails_its_requests_unsent_and_spares_the_others(kind):
    rows = [request(n, model=OPUS if n % 2 else HAIKU) for n in range(20)]
    refused = failure(kind, http_status=404, request_id="req_9", headers={"request-id": "req_9"})
    api = FakeApi(otherwise=lambda request: refused if request.model == HAIKU else reply())
    played = play(rows, api, concurrency=2)
    assert played.ended.lanes == {HAIKU: refused}
    assert [n for n in api.order if n % 2 == 0] == [0]
    assert all(played.statuses[n] == ("ok" if n % 2 else "failed") for n in range(20))
    unsent = played.results[2]
    assert (unsent.calls, unsent.failure.kind, unsent.failure.request_id) == ([], kind, None)


def bad(message="max_tokens: too many", **changes):
    return failure("invalid_request", message=message, http_status=400, **changes)


def test_twenty_identical_400s_close_the_lane():
    api = FakeApi(otherwise=lambda request: bad())
    played = play(requests(10_000), api, concurrency=1)
    assert len(api.sent) == 20
    results = played.results
    assert len(results) == 10_000
    kinds = [results[n].failure.kind for n in range(10_000)]
    assert kinds == ["invalid_request"] * 20 + ["repeated_invalid_request"] * 9_980
    assert "max_tokens: too many" in played.ended.lanes[OPUS].message


def test_in_flight_requests_of_a_closed_lane_finish():
    api = FakeApi({n: [bad()] for n in range(1, 21)}, slow={0: 50.0})
    played = play(requests(60), api, concurrency=2)
    assert played.statuses[0] == "ok"
    assert len(api.sent) == 21
    assert len(played.results) == 60


@pytest.mark.parametrize("otherwise", [reply(), bad("another reason")])
def test_a_success_or_another_reason_starts_the_count_again(otherwise):
    api = FakeApi({n: [otherwise if n % 15 == 14 else bad()] for n in range(100)})
    played = play(requests(100), api, concurrency=1)
    assert len(api.sent) == 100
    assert played.ended.lanes == {}


@pytest.mark.parametrize("kind", ["authentication", "billing", "spend_limit", "organization"])
def test_a_refused_account_ends_the_run_and_keeps_what_is_in_flight(kind):
    refused = failure(kind)
    played = play(requests(50), FakeApi({1: [refused]}), concurrency=3)
    assert played.ended == Ended(failure=refused, abandoned=1)
    assert played.api.order == [0, 1, 2, 3]
    assert played.statuses == {0: "ok", 2: "ok", 3: "ok"}
    assert [attempt.failure for attempt in played.sink.of("failed")] == [refused]


def test_what_waits_when_the_run_ends_gets_no_result():
    api = FakeApi({0: [failure("overloaded", retry_after=100.0)], 5: [failure("billing")]})
    played = play(requests(50), api, concurrency=1)
    assert 0 not in played.results
    assert played.ended.abandoned == 2
    assert played.duration < 10


# ---------------------------------------------------------------- rows that cannot be sent


def test_bad_rows_fail_unsent():
    problem = Problem("undefined-variable", "`txt` is not a column", path="prompt", severity="warning")
    rows = [request(n, key="", problem=problem if n % 2 else None) for n in range(6)]
    played = play(rows)
    assert sorted(played.api.order) == [0, 2, 4]
    result = played.results[1]
    assert (result.status, result.failure.kind) == ("failed", "bad_row")
    assert result.failure.message == "prompt: `txt` is not a column"
    assert len([event for event in played.events if isinstance(event, RequestDone)]) == 6


# ---------------------------------------------------------------- stopping


def stop_after(seconds, then=None):
    def plant(loop, stop):
        loop.call_later(seconds, stop.request, "interrupted")
        if then is not None:
            loop.call_later(then, stop.now)

    return plant


def test_a_stop_sends_nothing_more_and_keeps_what_is_in_flight():
    played = play(requests(50), concurrency=4, later=stop_after(2.5))
    assert played.ended == Ended(stopped="interrupted")
    assert len(played.api.sent) == len(played.results) == 12
    assert played.duration == 3


def test_a_stop_abandons_waiting_retries_without_a_result():
    api = FakeApi({0: [failure("overloaded", retry_after=100.0)]})
    played = play(requests(4), api, concurrency=4, later=stop_after(2.5))
    assert played.ended == Ended(stopped="interrupted", abandoned=1)
    assert sorted(played.results) == [1, 2, 3]
    assert played.duration == 2.5


def test_a_failure_that_arrives_during_a_stop_is_not_tried_again():
    api = FakeApi({0: [failure("overloaded")]})
    played = play(requests(1), api, later=stop_after(0.5))
    assert played.ended == Ended(stopped="interrupted", abandoned=1)
    assert [event.waiting for event in played.attempts] == [None]


def test_stopping_at_once_gives_up_what_is_in_flight():
    played = play(requests(50), FakeApi(seconds=100.0), concurrency=4, later=stop_after(1, then=2))
    assert played.ended == Ended(stopped="interrupted", abandoned=4)
    assert (played.results, played.duration, played.api.in_flight) == ({}, 2, 0)


def test_a_run_that_is_complete_was_not_stopped():
    assert play(requests(4), later=stop_after(0.5)).ended.stopped == "interrupted"  # row 5 was not looked for
    assert play(requests(3), concurrency=4, later=stop_after(0.5)).ended.stopped is None


def test_a_stop_before_the_start_sends_nothing():
    stop = Stop()
    stop.request("deadline")
    played = play(requests(5), stop=stop)
    assert (played.ended, played.api.sent) == (Ended(stopped="deadline"), [])


# ---------------------------------------------------------------- what goes wrong here


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OutputError("the lock is gone")])
@pytest.mark.parametrize("kind", ["sent", "failed", "done"])
def test_a_line_that_cannot_be_written_stops_everything_at_once(kind, error):
    sink = FakeSink(break_on=lambda line, n: error if (line, n) == (kind, 3) else None)
    api = FakeApi({3: [failure("invalid_request") if kind == "failed" else reply()]})
    played = play(requests(100), api, sink=sink, concurrency=2)
    assert isinstance(played.error, OutputError)
    assert max(api.order) <= 4
    assert api.in_flight == 0
    assert str(error).split("] ")[-1] in str(played.error)


def test_nobody_hears_of_a_reply_before_it_is_safe():
    class Strict(FakeSink):
        safe = 0

        async def settled(self) -> None:
            written = len(self.of("done"))
            await asyncio.sleep(0)
            self.safe = written

    sink, heard = Strict(), []

    def observe(event):
        if isinstance(event, RequestDone):
            heard.append(sink.safe)

    play(requests(4), sink=sink, observe=observe, concurrency=1)
    assert heard == [1, 2, 3, 4]


def test_replies_that_come_after_a_failed_write_are_handed_to_the_sink_too():
    tried = []

    def broken(line, n):
        if line == "done":
            tried.append(n)
            return OutputError("the disk is full")
        return None

    played = play(requests(100), sink=FakeSink(break_on=broken), concurrency=3)
    assert isinstance(played.error, OutputError)
    assert sorted(tried) == [0, 1, 2]


def test_an_error_of_the_rows_drains_and_comes_out():
    def rows():
        yield from requests(5)
        raise SpecError("rows.csv changed while it was read", rule="source-changed")

    played = play(rows(), concurrency=3)
    assert isinstance(played.error, SpecError)
    assert played.statuses == dict.fromkeys(range(5), "ok")


def test_a_bug_in_an_observer_comes_out_after_everything_in_flight_is_kept():
    def observe(event):
        if isinstance(event, RequestDone):
            raise ZeroDivisionError

    played = play(requests(50), observe=observe, concurrency=3)
    assert isinstance(played.error, ZeroDivisionError)
    assert sorted(played.results) == [0, 1, 2]


def test_many_rows_leave_nothing_behind():
    often = RetryPolicy(max=10)  # of so many rows one may well fail six times
    played = play(requests(5_000), FakeApi(otherwise=flaky()), concurrency=50, retry=often)
    assert set(played.statuses.values()) == {"ok"}
    assert len(played.results) == 5_000
    assert played.ended == Ended()


def flaky():
    """Every fifth attempt fails in one of the ways that may pass."""
    kinds = ["rate_limited", "overloaded", "server_error", "timeout", "connection", "truncated_stream"]
    attempts = iter(range(10**9))

    def outcome(request):
        n = next(attempts)
        return failure(kinds[n // 5 % len(kinds)]) if n % 5 == 0 else reply()

    return outcome
