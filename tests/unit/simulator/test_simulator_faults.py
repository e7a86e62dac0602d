from __future__ import annotations

from collections import Counter

import pytest

from runner.simulator import FAULT_KINDS, RETRYABLE_KINDS, SimulatorConfig
from runner.simulator.config import STREAM_KINDS
from runner.simulator.faults import FaultPlan, error_of
from runner.simulator.messages import Asked, read


def asked(text: str, stream: bool = False) -> Asked:
    body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    return read({**body, "stream": True} if stream else body)


def chosen(config: SimulatorConfig, texts: list[str], *, stream: bool = False) -> dict[str, str | None]:
    plan = FaultPlan(config)
    return {text: plan.choose(asked(text, stream), n) for n, text in enumerate(texts, 1)}


ROWS = [f"row {n}" for n in range(500)]


def test_nothing_fails_by_default():
    assert set(chosen(SimulatorConfig(), ROWS).values()) == {None}


def test_the_rate_is_kept_and_kinds_come_up_equally_often():
    found = Counter(chosen(SimulatorConfig(fault_rate=0.2), ROWS, stream=True).values())
    faults = 500 - found[None]
    assert 70 <= faults <= 130
    applicable = [found[kind] for kind in RETRYABLE_KINDS if kind != "cut_body"]
    assert min(applicable) >= faults // 8
    assert max(applicable) - min(applicable) <= 1


def test_requests_without_a_stream_get_no_stream_faults():
    found = Counter(chosen(SimulatorConfig(fault_rate=0.5), ROWS).values())
    assert not STREAM_KINDS & set(found)
    assert found["cut_body"] > 0


def test_which_requests_fail_does_not_depend_on_the_order():
    config = SimulatorConfig(fault_rate=0.2, seed=3)
    forward = chosen(config, ROWS)
    backward = chosen(config, ROWS[::-1])
    assert {row for row in ROWS if forward[row]} == {row for row in ROWS if backward[row]}


def test_with_probabilities_even_the_kind_does_not_depend_on_the_order():
    config = SimulatorConfig(faults={"overloaded": 0.1, "refusal": 0.1, "dropped": 0.1})
    assert chosen(config, ROWS) == chosen(config, ROWS[::-1])
    counts = Counter(chosen(config, ROWS).values())
    assert all(25 <= counts[kind] <= 75 for kind in config.faults)


def test_another_seed_hits_other_requests():
    one, two = (chosen(SimulatorConfig(fault_rate=0.2, seed=seed), ROWS) for seed in (1, 2))
    assert {row for row in ROWS if one[row]} != {row for row in ROWS if two[row]}


def test_a_body_is_faulted_no_more_than_so_often():
    plan = FaultPlan(SimulatorConfig(fault_rate=1.0, max_faults_per_request=2))
    kinds = [plan.choose(asked("row"), n) for n in range(1, 6)]
    assert [kind is None for kind in kinds] == [False, False, True, True, True]
    assert plan.choose(asked("another"), 9) is not None


def test_exact_places():
    plan = FaultPlan(SimulatorConfig(fault_at={"overloaded": [1, 3], "dropped": [2]}))
    assert [plan.choose(asked("row"), n) for n in (1, 2, 3, 4)] == ["overloaded", "dropped", "overloaded", None]


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_a_marker_names_any_kind(kind):
    stream = kind != "cut_body"
    plan = FaultPlan(SimulatorConfig())
    assert [plan.choose(asked(f"[[simulate:{kind}]]", stream), n) for n in (1, 2, 3)] == [kind] * 3


@pytest.mark.parametrize(("status", "kind"), [("400", "invalid"), ("429", "rate_limited"), ("529", "overloaded")])
def test_a_marker_may_name_a_status(status, kind):
    assert FaultPlan(SimulatorConfig()).choose(asked(f"x [[simulate:{status}]]"), 1) == kind


def test_a_marker_may_say_how_often():
    plan = FaultPlan(SimulatorConfig())
    prompt = asked("[[simulate:server_error=2]]")
    assert [plan.choose(prompt, n) for n in (1, 2, 3)] == ["server_error", "server_error", None]


def test_an_unknown_marker_is_ignored():
    assert FaultPlan(SimulatorConfig()).choose(asked("[[simulate:explosion]]"), 1) is None


@pytest.mark.parametrize(
    ("kind", "status", "type_", "code"),
    [
        ("rate_limited", 429, "rate_limit_error", None),
        ("overloaded", 529, "overloaded_error", None),
        ("server_error", 500, "api_error", None),
        ("invalid", 400, "invalid_request_error", None),
        ("unauthorized", 401, "authentication_error", None),
        ("permission", 403, "permission_error", None),
        ("model_not_found", 404, "not_found_error", None),
        ("too_large", 413, "request_too_large", None),
        ("billing", 402, "billing_error", None),
        ("spend_limit", 429, "rate_limit_error", "enforced_spend_limit_reached"),
        ("usage_limit", 400, "invalid_request_error", None),
        ("on_hold", 400, "invalid_request_error", "organization_on_hold"),
    ],
)
def test_error_faults(kind, status, type_, code):
    error = error_of(kind, asked("row"), SimulatorConfig(fault_retry_after=7))
    assert error is not None
    assert (error.status, error.type, error.error_code) == (status, type_, code)
    assert error.headers == ({"retry-after": "7"} if kind == "rate_limited" else {})


def test_other_faults_are_not_errors():
    assert error_of("dropped", asked("row"), SimulatorConfig()) is None
