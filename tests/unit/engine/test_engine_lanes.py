"""What a lane learns from failures and replies."""

from __future__ import annotations

from engine_fakes import failure

from runner.engine.lanes import REPEATS_TO_CLOSE, Lane, for_the_others


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


def test_replies_that_nobody_can_read_close_a_lane_whatever_each_of_them_holds():
    """They may have been paid for: a server that spoils them all must not be asked for all rows."""
    lane = Lane()
    for n in range(REPEATS_TO_CLOSE):
        assert lane.closed is None
        lane.rejected(failure("malformed_reply", message=f"not JSON: `msg_{n}`", http_status=200))
    assert lane.closed.kind == "repeated_invalid_request"
    assert lane.closed.message == "20 replies in a row were no messages: not JSON: `msg_19`"


def test_the_others_fail_without_what_belongs_to_one_exchange():
    own = failure("permission", request_id="req", retry_after=1.0, maybe_billed=True, headers={"a": "b"})
    assert for_the_others(own) == failure("permission")
