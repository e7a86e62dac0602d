from __future__ import annotations

import pytest

from runner.simulator import SimulatorConfig
from runner.simulator.errors import Rejected
from runner.simulator.limits import Limits

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z
OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-5-5"


class FakeClock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return FakeClock()


def test_without_limits_there_are_no_headers(clock):
    limits = Limits(SimulatorConfig(), clock)
    assert limits.take(OPUS, 10**9) == {}
    assert limits.spend(OPUS, 10**9) == {}


def test_requests_run_out_and_come_back(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=2), clock)
    limits.take(OPUS, 1)
    headers = limits.take(OPUS, 1)
    assert headers == {
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-22T12:00:02Z",
    }
    with pytest.raises(Rejected) as caught:
        limits.take(OPUS, 1)
    assert (caught.value.status, caught.value.type) == (429, "rate_limit_error")
    assert caught.value.headers["retry-after"] == "1"
    assert caught.value.headers["anthropic-ratelimit-requests-limit"] == "60"
    assert caught.value.message == (
        "This request would exceed your organization's rate limit of 60 requests per minute (model: claude-opus-5-5). "
        "For details, refer to: https://docs.claude.com/en/api/rate-limits."
    )
    clock.now += 1.0
    limits.take(OPUS, 1)


def test_a_refused_request_costs_nothing(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=1), clock)
    limits.take(OPUS, 1)
    for _ in range(5):
        with pytest.raises(Rejected):
            limits.take(OPUS, 1)
    clock.now += 1.0
    limits.take(OPUS, 1)


def test_refill_is_continuous_and_stops_when_full(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=3), clock)
    clock.now += 3600
    assert limits.take(OPUS, 1)["anthropic-ratelimit-requests-remaining"] == "2"


def test_each_model_has_its_own_bucket(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=1), clock)
    limits.take(OPUS, 1)
    limits.take(HAIKU, 1)
    with pytest.raises(Rejected):
        limits.take(HAIKU, 1)


def test_input_tokens_are_waited_for(clock):
    limits = Limits(SimulatorConfig(input_tokens_per_minute=600), clock)
    limits.take(OPUS, 500)
    with pytest.raises(Rejected, match="600 input tokens per minute") as caught:
        limits.take(OPUS, 250)
    assert caught.value.headers["retry-after"] == "15"
    clock.now += 15
    limits.take(OPUS, 250)


def test_a_request_larger_than_the_bucket_passes_when_it_is_full(clock):
    limits = Limits(SimulatorConfig(input_tokens_per_minute=600), clock)
    limits.take(OPUS, 5000)
    with pytest.raises(Rejected):
        limits.take(OPUS, 1)


def test_output_is_paid_after_the_fact_and_stops_the_next_request(clock):
    limits = Limits(SimulatorConfig(output_tokens_per_minute=600), clock)
    limits.take(OPUS, 1)
    headers = limits.spend(OPUS, 700)
    assert headers["anthropic-ratelimit-output-tokens-remaining"] == "0"
    with pytest.raises(Rejected, match="600 output tokens per minute") as caught:
        limits.take(OPUS, 1)
    assert caught.value.headers["retry-after"] == "11"  # 101 tokens at 10 a second
    clock.now += 11
    limits.take(OPUS, 1)


def test_the_longest_wait_is_named(clock):
    config = SimulatorConfig(requests_per_minute=60, burst_requests=1, input_tokens_per_minute=60)
    limits = Limits(config, clock)
    limits.take(OPUS, 60)
    with pytest.raises(Rejected, match="input tokens") as caught:
        limits.take(OPUS, 30)
    assert caught.value.headers["retry-after"] == "30"


def test_large_token_remainders_are_rounded_to_thousands_and_summed(clock):
    config = SimulatorConfig(input_tokens_per_minute=80_000, output_tokens_per_minute=16_000)
    limits = Limits(config, clock)
    limits.take(OPUS, 1_400)
    headers = limits.spend(OPUS, 700)
    shown = {name.removeprefix("anthropic-ratelimit-"): value for name, value in headers.items()}
    assert shown == {
        "input-tokens-limit": "80000",
        "input-tokens-remaining": "79000",
        "input-tokens-reset": "2026-11-22T12:00:02Z",
        "output-tokens-limit": "16000",
        "output-tokens-remaining": "15000",
        "output-tokens-reset": "2026-11-22T12:00:03Z",
        "tokens-limit": "96000",
        "tokens-remaining": "94000",
        "tokens-reset": "2026-11-22T12:00:03Z",
    }


def test_over_an_hour_no_more_than_the_rate_gets_through(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=120, burst_requests=10), clock)
    passed = 0
    for _ in range(36_000):
        clock.now += 0.1
        try:
            limits.take(OPUS, 1)
            passed += 1
        except Rejected:
            pass
    assert 7190 <= passed <= 7210


# ---------------------------------------------------------------- other servers' ways


def remaining(headers: dict[str, str]) -> int:
    return int(headers["anthropic-ratelimit-requests-remaining"])


def test_limits_can_change_midway(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=10, limit_change=(5.0, 0.5)), clock)
    assert limits.take(OPUS, 1)["anthropic-ratelimit-requests-limit"] == "60"
    clock.now += 4.9
    assert limits.take(OPUS, 1)["anthropic-ratelimit-requests-limit"] == "60"
    clock.now += 3600
    headers = limits.take(OPUS, 1)
    assert (headers["anthropic-ratelimit-requests-limit"], remaining(headers)) == ("30", 4)
    assert limits.take(HAIKU, 1)["anthropic-ratelimit-requests-limit"] == "30"


def test_a_change_counts_from_its_moment_and_not_from_the_next_request(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=100, limit_change=(10.0, 0.1)), clock)
    for _ in range(100):
        limits.take(OPUS, 1)
    clock.now += 60.0  # ten at the old rate, fifty seconds at a tenth of it
    assert remaining(limits.take(OPUS, 1)) == 9


def test_somebody_else_uses_a_share(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=10, others=0.5), clock)
    for _ in range(10):
        limits.take(OPUS, 1)
    clock.now += 4.0
    assert remaining(limits.take(OPUS, 1)) == 1


def test_headers_can_tell_of_more_than_a_bucket_holds(clock):
    limits = Limits(SimulatorConfig(requests_per_minute=60, burst_requests=2, minute_headers=True), clock)
    limits.take(OPUS, 1)
    assert remaining(limits.take(OPUS, 1)) == 58
    with pytest.raises(Rejected) as caught:
        limits.take(OPUS, 1)
    assert remaining(caught.value.headers) == 58


def test_a_server_can_keep_its_limits_and_its_waits_to_itself(clock):
    config = SimulatorConfig(requests_per_minute=60, burst_requests=1, limit_headers="none", retry_after=False)
    limits = Limits(config, clock)
    assert limits.take(OPUS, 1) == {}
    with pytest.raises(Rejected) as caught:
        limits.take(OPUS, 1)
    assert caught.value.headers == {}


@pytest.mark.parametrize(
    "wrong",
    [{"others": 1.0}, {"others": -0.1}, {"jitter": 1.5}, {"limit_change": (0.0, 2.0)}, {"limit_change": (1.0, 0.0)}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        SimulatorConfig(**wrong)
