"""usage.json and the summary: sums, unpriced models, attempts without an outcome, rows, caching, latency."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_job import attempt, failed, ok, request

from runner.models.usage import Tokens
from runner.records import Call, Failure
from runner.store.distribution import EXACT, Distribution


def usage_of(folder):
    return json.loads((folder / "usage.json").read_text(encoding="utf-8"))


def test_tokens_and_cost_are_summed_by_model(job):
    folder, summary = job.run(ok(0), ok(1), ok(2, model="claude-opus-4-8"))
    usage = usage_of(folder)
    assert usage["tokens"] == Tokens(input=3000, output=1500).to_json()
    assert usage["by_model"]["claude-opus-5-5"]["cost_usd"] == pytest.approx(0.028)
    assert usage["cost"] == {"usd": 0.0455, "priced_usd": 0.0455, "unpriced_models": [], "unpriced_results": 0}
    assert summary.cost_usd == 0.0455


def test_one_unpriced_model_makes_the_cost_unknown_but_keeps_the_priced_part(job):
    folder, summary = job.run(ok(0), ok(1, model="claude-unheard-of"))
    assert usage_of(folder)["cost"] == {
        "usd": None,
        "priced_usd": 0.014,
        "unpriced_models": ["claude-unheard-of"],
        "unpriced_results": 1,
    }
    assert usage_of(folder)["by_model"]["claude-unheard-of"]["cost_usd"] is None
    assert summary.cost_usd is None


def test_the_cost_of_a_row_covers_its_cells_and_repeats(job):
    dear = {"input_tokens": 1000, "output_tokens": 5000}
    results = [ok(n, usage=dear if n == 3 else {"input_tokens": 1000, "output_tokens": 500}) for n in range(4)]
    results = [replace(result, request=request(n, id=f"row-{n // 2}")) for n, result in enumerate(results)]
    with job.open(4, rows=2, cells=2) as run:
        for result in results:
            run.done(result)
        run.finish()
    assert usage_of(run.folder)["cost_by_row"] == {
        "rows": 2,
        "mean_usd": 0.073,
        "p50_usd": 0.028,
        "p95_usd": 0.118,
        "max": {"id": "row-1", "usd": 0.118},
    }


def test_attempts_without_an_outcome_may_be_billed(job):
    with job.open(4) as run:
        for n in range(4):
            run.sent(request(n), 1, job.clock.utc(), 0.25)
        run.done(ok(0))
        run.attempt_failed(request(1), attempt(failure=Failure("timeout", "no answer", maybe_billed=True)))
        run.sent(request(1), 2, job.clock.utc(), 0.25)
        run.attempt_failed(request(1), attempt(2, Failure("overloaded", "busy", 529)))
        run.done(failed(1))
    with job.open(4) as run:
        run.sent(request(2), 1, job.clock.utc(), 0.5)
        run.done(ok(2))
        summary = run.finish(end="interrupted")
    usage = usage_of(run.folder)
    assert usage["attempts"] == {"sent": 6, "by_kind": {"no_outcome": 2, "overloaded": 1, "reply": 2, "timeout": 1}}
    assert usage["maybe_billed"] == {"attempts": 3, "usd": 0.75, "unpriced_attempts": 0}
    assert (summary.maybe_billed_attempts, summary.retries) == (3, 2)


def test_a_failed_request_killed_on_its_second_try_may_be_billed(job):
    job.run(failed(0))
    with job.open(1) as run:
        run.sent(request(0), 1, job.clock.utc(), None)
    with job.open(1) as run:
        run.finish(end="interrupted")
    assert usage_of(run.folder)["maybe_billed"] == {"attempts": 1, "usd": None, "unpriced_attempts": 1}


def test_cache_hits_and_savings(job):
    told = {"input_tokens": 100, "cache_read_input_tokens": 300, "output_tokens": 1}
    folder, _ = job.run(ok(0, usage=told))
    assert usage_of(folder)["cache"]["hit_rate"] == 0.75
    assert usage_of(folder)["cache"]["saved_usd"] == pytest.approx(300 * 3.8 / 1e6)


def test_latency_is_of_answers_and_throughput_of_all_sittings(job):
    slow = ok(1, calls=[Call([attempt(1, Failure("overloaded", "busy"), 9.0), attempt(2, seconds=2.0)])])
    with job.open(2) as run:
        run.done(ok(0))
        run.done(slow)
        job.clock.seconds = 30
        run.finish()
    usage = usage_of(run.folder)
    assert usage["latency_seconds"] == {"count": 2, "p50": 0.5, "p90": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0}
    assert usage["throughput"]["requests_per_minute"] == 4.0


def test_failures_are_grouped_by_cause_with_an_example(job):
    results = [failed(n, "invalid_request", f"messages.{n}: too long", 400) for n in range(3)]
    refused = ok(3, status="refused", stop_reason="refusal", stop_details={"category": "cyber"})
    _, summary = job.run(*results, refused, ok(4, status="truncated", stop_reason="max_tokens"))
    found = [(group.status, group.kind, group.count, group.example) for group in summary.groups]
    assert found == [
        ("failed", "invalid_request", 3, "row-0"),
        ("refused", "cyber", 1, "row-3"),
        ("truncated", "max_tokens", 1, "row-4"),
    ]
    assert summary.by_status == {"failed": 3, "refused": 1, "truncated": 1}


def test_the_groups_stay_few_whatever_the_messages_say(job):
    words = [chr(97 + n % 26) * (n // 26 + 1) for n in range(80)]
    _, summary = job.run(*(failed(n, "invalid_request", word) for n, word in enumerate(words)))
    assert len(summary.groups) <= 51
    assert sum(group.count for group in summary.groups) == 80


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_are_exact_while_there_are_few(values):
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    ordered = sorted(values)
    for percent in (1, 50, 95, 100):
        rank = max(1, -(-len(values) * percent // 100))
        assert distribution.percentile(percent) == ordered[rank - 1]


def test_percentiles_are_close_when_there_are_many():
    distribution = Distribution()
    for value in range(3 * EXACT):
        distribution.add(value)
    assert distribution.percentile(50) == pytest.approx(1.5 * EXACT, rel=0.006)
    assert distribution.percentile(100) == pytest.approx(3 * EXACT, rel=0.006)
    assert distribution.percentile(0) == 0
    assert len(distribution._buckets) < 2000
