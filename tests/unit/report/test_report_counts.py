"""What a running job amounts to, from its events and a clock of ours."""

from __future__ import annotations

from collections.abc import Sequence

from runner.records import Attempt, AttemptEnded, Failure, PaceState, Request, RequestDone, Result, SendingBegan, Source
from runner.report.counts import SECONDS, Counts, counts_text, left_text, short

REQUEST = Request(0, "a", {}, 0, "k", "claude-haiku-5-5", 10, b"{}", Source("x.csv", 2))
USAGE = {"input_tokens": 40, "cache_creation_input_tokens": 60, "cache_read_input_tokens": 900, "output_tokens": 30}
REPLY = AttemptEnded(REQUEST, Attempt(1, "", 0.1, 200), usage=USAGE)
RETRY = AttemptEnded(REQUEST, Attempt(1, "", 0.1, failure=Failure("overloaded", "busy")), waiting=1.5)


class Engine:
    """What an engine shows of itself."""

    def __init__(self, *paces: PaceState, spent: float = 0.0) -> None:
        self.in_flight, self.waiting, self.spent_usd, self._paces = 7, 2, spent, paces

    def paces(self) -> Sequence[PaceState]:
        return self._paces


def counted(time: list[float], *events: object, total: int = 10) -> Counts:
    counts = Counts(total, lambda: time[0])
    for event in events:
        counts(event)  # type: ignore[arg-type]
    return counts


def test_rates_are_over_the_last_minute_and_count_no_tokens_that_were_read() -> None:
    time = [0.0]
    counts = counted(time, REPLY, REPLY)
    time[0] = 30.0
    assert [counts.per_minute(name) for name in ("requests", "input", "output")] == [4.0, 400.0, 120.0]
    time[0] = SECONDS * 2.0
    assert counts.per_minute("requests") == 0.0


def test_old_seconds_are_forgotten() -> None:
    time = [0.0]
    counts = counted(time)
    for second in range(1000):
        time[0] = float(second)
        counts(REPLY)
    assert len(counts.seconds) <= SECONDS + 1


def test_the_line_says_all_that_is_known() -> None:
    time = [0.0]
    pace = PaceState("claude-haiku-5-5", 7, 50, 1200, 400_000, None, "headers", waits=12.4)
    done = RequestDone(Result(REQUEST, "ok"))
    lost = RequestDone(Result(REQUEST, "failed"))
    counts = counted(time, SendingBegan(Engine(pace, spent=1.234)), REPLY, RETRY, done, done, lost)
    time[0] = 30.0
    assert counts_text(counts) == (
        "2 good, 1 failed, 1 retries, 7 in flight, 4 of 1,200 req/min, 200 of 400k in/min, paused 12 s, "
        "cache 90%, $1.23 spent"
    )
    assert left_text(counts) == ", about 1 min 10 s left"


def test_no_limit_is_shown_while_one_model_has_none() -> None:
    known, unknown = PaceState("a", 1, 8, 600.0), PaceState("b", 1, 8)
    counts = counted([0.0], SendingBegan(Engine(known, unknown)), REPLY)
    assert "60 req/min" in counts_text(counts)
    assert " of " not in counts_text(counts)


def test_nothing_is_said_of_the_end_before_anything_is_done() -> None:
    assert left_text(counted([0.0], REPLY)) == ""


def test_large_numbers_are_short() -> None:
    assert [short(number) for number in (0.4, 9_999, 10_000, 999_400, 1_240_000)] == [
        "0", "9,999", "10k", "999k", "1.2M",
    ]  # fmt: skip
