"""Several calls for one request: who asks for them, in which order they go, what is written, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from engine_fakes import FakeApi, FakeSink, failure, play, reply, request, requests

from runner.engine.live import Stop
from runner.errors import OutputError
from runner.records import Attempt, Call, Judgement, NextCall, Request, RetryPolicy

FLAT = RetryPolicy(base=2.0, cap=2.0)


def up_to(most: int):
    """A `follow` that wants so many calls of every request."""

    def follow(asked: Request, calls: Sequence[Call]) -> NextCall | None:
        if len(calls) == most:
            return None
        return NextCall("turn", len(calls), b'{"turn":%d}' % len(calls), 1000 + len(calls))

    return follow


def earlier(turn: int) -> Call:
    attempt = Attempt(1, "2026-11-21T00:00:00.000Z", 1.0)
    message = reply(f"earlier {turn}").message
    return Call([attempt], turn=turn, usage=message["usage"], cost_usd=0.5, response=message, simulated=True)


def test_a_request_gets_its_calls_one_after_the_other_and_one_result():
    bodies = []
    api = FakeApi(otherwise=lambda asked: bodies.append((asked.body, asked.max_tokens)) or reply(f"{len(bodies)}"))
    played = play(requests(1), api, follow=up_to(3))
    assert bodies == [(b"{}", 100), (b'{"turn":1}', 1001), (b'{"turn":2}', 1002)]
    (result,) = played.sink.of("done")
    assert (result.status, result.text, [call.turn for call in result.calls]) == ("ok", "3", [0, 1, 2])
    assert result.request.body == b"{}"
    assert played.sink.calls == [(0, 0, 1), (0, 1, 1), (0, 2, 1)]


def test_usage_and_cost_are_those_of_all_calls():
    one = play(requests(1)).results[0]
    three = play(requests(1), follow=up_to(3)).results[0]
    assert three.usage == {name: 3 * count for name, count in one.usage.items()}
    assert three.cost_usd == three.billed_usd == pytest.approx(3 * one.cost_usd)


def test_a_cost_that_is_not_known_of_one_call_is_not_known_of_the_result():
    api = FakeApi({0: [reply(), reply(model="claude-unheard-of")]})
    assert play(requests(1), api, follow=up_to(2)).results[0].cost_usd is None


def test_every_reply_but_the_last_gets_a_line_before_the_next_call_is_sent():
    sink = play(requests(1), follow=up_to(3)).sink
    assert [kind for kind, _, _ in sink.lines] == ["sent", "reply", "sent", "reply", "sent", "done"]
    assert [number for number, _ in sink.of("reply")] == [0, 1]


def test_the_next_call_goes_before_new_rows_and_holds_no_slot():
    played = play(requests(3), concurrency=1, follow=up_to(2))
    assert played.api.order == [0, 0, 1, 1, 2, 2]


def test_attempts_and_retries_count_for_each_call():
    api = FakeApi({0: [failure("overloaded"), reply(), failure("connection"), failure("connection"), reply("end")]})
    played = play(requests(1), api, retry=RetryPolicy(max=2, base=2.0, cap=2.0), follow=up_to(2))
    assert played.sink.calls == [(0, 0, 1), (0, 0, 2), (0, 1, 1), (0, 1, 2), (0, 1, 3)]
    assert [[attempt.n for attempt in call.attempts] for call in played.results[0].calls] == [[1, 2], [1, 2, 3]]
    assert played.results[0].status == "ok"


def test_a_later_call_that_fails_fails_the_request_and_keeps_what_was_paid():
    api = FakeApi({0: [reply("paid"), failure("invalid_request")]})
    result = play(requests(1), api, follow=up_to(3)).results[0]
    assert (result.status, result.failure.kind, result.text) == ("failed", "invalid_request", None)
    assert [(call.turn, call.response is None) for call in result.calls] == [(0, False), (1, True)]
    assert result.billed_usd == pytest.approx(0.014)


def test_a_run_goes_on_behind_the_calls_an_earlier_sitting_got():
    played = play(requests(2), follow=up_to(3), replies_of=lambda n: [earlier(0), earlier(1)] if n == 1 else [])
    assert played.api.order.count(1) == 1
    assert (1, 2, 1) in played.sink.calls
    result = played.results[1]
    assert [call.response["content"][0]["text"] for call in result.calls] == ["earlier 0", "earlier 1", "hello"]
    assert result.billed_usd == pytest.approx(1.014)
    assert result.simulated


def test_calls_that_need_no_other_make_a_result_without_sending():
    played = play(requests(1), follow=up_to(1), replies_of=lambda n: [earlier(0)])
    assert (played.api.order, played.results[0].text) == ([], "earlier 0")


def test_a_judgement_makes_the_result():
    wrong = Judgement("invalid", good=False, text="no", problems=("output.label: missing",))
    good = Judgement("truncated", good=True, text="half", output={"a": 1}, citations=[{"type": "x"}])
    played = play(requests(2), judge=lambda asked, calls: good if asked.n else wrong)
    assert [(one.status, one.good, one.text) for one in (played.results[0], played.results[1])] == [
        ("invalid", False, "no"),
        ("truncated", True, "half"),
    ]
    assert played.results[0].problems == ("output.label: missing",)
    assert (played.results[1].output, played.results[1].citations) == ({"a": 1}, [{"type": "x"}])


def test_a_reply_that_no_answered_result_holds_is_written_down_too():
    why = failure("bad_row")
    sink = play(requests(1), judge=lambda asked, calls: Judgement("failed", good=False, failure=why)).sink
    assert [kind for kind, _, _ in sink.lines] == ["sent", "reply", "done"]
    assert sink.of("done")[0].failure == why


def test_a_reply_is_written_down_even_when_asking_what_follows_goes_wrong():
    def follow(asked: Request, calls: Sequence[Call]) -> NextCall | None:
        raise ZeroDivisionError

    played = play(requests(1), follow=follow)
    assert isinstance(played.error, ZeroDivisionError)
    assert [kind for kind, _, _ in played.sink.lines] == ["sent", "reply"]


def test_a_polite_stop_leaves_the_next_call_for_another_sitting():
    stop = Stop()
    played = play(requests(1), stop=stop, later=lambda loop, stop: loop.call_later(0.5, stop.request), follow=up_to(2))
    assert [kind for kind, _, _ in played.sink.lines] == ["sent", "reply"]
    assert (played.ended.stopped, played.ended.abandoned) == ("interrupted", 1)


def test_a_reply_that_cannot_be_written_ends_the_run():
    sink = FakeSink(break_on=lambda kind, n: OSError("disk full") if kind == "reply" else None)
    assert isinstance(play(requests(1), sink=sink, follow=up_to(2)).error, OutputError)


def test_the_next_call_waits_for_its_models_pace():
    limited = failure("rate_limited", retry_after=30.0)
    api = FakeApi({0: [reply(), reply()], 1: [limited, reply(), reply()]}, slow={0: 2.0})
    played = play([request(0), request(1)], api, retry=FLAT, follow=up_to(2))
    assert played.api.times(0)[1] >= 31.0  # its first reply comes at 2 s, when the model is paused
    assert played.statuses == {0: "ok", 1: "ok"}
