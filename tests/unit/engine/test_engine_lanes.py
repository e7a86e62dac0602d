"""What a lane learns from failures and replies."""

from __future__ import annotations

from engine_fakes import failure

from runner.engine.lanes import REPEATS_TO_CLOSE, Lane, for_the_others


def limited(lane, *, now, began=None, retry_after=10.0, gap=0.5):
    lane.limited(
        failure("rate_limited", retry_after=retry_after), began=now if began is None else began, now=now, gap=gap
    )


def test_a_lane_without_limits_starts_everyone_now():
    lane = Lane()
    assert [lane.start_at(5.0) for _ in range(3)] == [5.0, 5.0, 5.0]


def test_after_a_429_starts_come_after_the_pause_and_apart():
    lane = Lane()
    limited(lane, now=100)
    assert [lane.start_at(101) for _ in range(3)] == [110.0, 110.5, 111.0]
    assert lane.start_at(200) == 200


def test_429s_of_one_moment_slow_down_once_and_later_ones_again():
    lane = Lane()
    limited(lane, now=100, began=99)
    limited(lane, now=100.2, began=99.9)
    assert (lane.gap, lane.paused_until) == (0.5, 110.2)
    limited(lane, now=112, began=111)
    assert lane.gap == 0.75


def test_a_429_without_a_time_pauses_for_a_start():
    lane = Lane()
    limited(lane, now=100, retry_after=None)
    assert 100 <= lane.start_at(100) <= 101


def test_replies_raise_the_pace_until_there_is_no_limit():
    lane = Lane()
    limited(lane, now=100)
    for _ in range(200):
        lane.answered()
    assert lane.gap == 0
    assert [lane.start_at(300) for _ in range(3)] == [300, 300, 300]


def test_a_closed_lane_stays_closed_for_its_first_reason():
    lane = Lane()
    first = failure("model_not_found")
    lane.close(first)
    lane.close(failure("permission"))
    lane.answered()
    assert lane.closed is first


def test_only_the_same_reason_in_a_row_closes_a_lane():
    lane = Lane()
    for n in range(REPEATS_TO_CLOSE * 3):
        lane.rejected(failure("invalid_request", message=f"reason {n % 2}"))
    assert lane.closed is None
    for _ in range(REPEATS_TO_CLOSE):
        lane.rejected(failure("invalid_request", message="same", http_status=400, error_type="invalid_request_error"))
    assert lane.closed.kind == "repeated_invalid_request"
    assert lane.closed.message == "20 requests in a row were refused: same"
    assert lane.closed.http_status == 400


def test_the_others_fail_without_what_belongs_to_one_exchange():
    own = failure("permission", request_id="req", retry_after=1.0, maybe_billed=True, headers={"a": "b"})
    assert for_the_others(own) == failure("permission")
