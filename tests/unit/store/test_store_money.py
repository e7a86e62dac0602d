"""Who is paid for what: every model that worked on an answer, a hop that declined included; and what plans learn."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from store_job import ok

from runner.models.cost import iteration_costs, message_cost_usd
from runner.models.price_table import price_table
from runner.records import Call
from runner.store import earlier_lengths
from runner.store.money import paid_parts

HOPS = {
    "input_tokens": 1000,
    "output_tokens": 500,
    "iterations": [
        {"type": "message", "model": "claude-opus-5-5", "input_tokens": 1000, "output_tokens": 100},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 500},
    ],
}


def fallen_back(n, usage=HOPS, served="claude-opus-4-8"):
    message = {"type": "message", "model": served, "content": [{"type": "text", "text": "x"}], "usage": usage}
    cost = message_cost_usd(message, "claude-opus-5-5")
    iterations = iteration_costs(message, "claude-opus-5-5")
    call = Call(ok(n).calls[0].attempts, usage=usage, cost_usd=cost, response=message, iterations=iterations)
    return replace(ok(n), calls=[call], served=served, usage=usage, cost_usd=cost, billed_usd=cost)


def usage_of(folder):
    return json.loads((folder / "usage.json").read_text(encoding="utf-8"))


def test_a_hop_that_declined_is_paid_to_its_own_model(job):
    folder, summary = job.run(fallen_back(0), ok(1))
    by_model = usage_of(folder)["by_model"]
    declined, served = (1000 * 4 + 100 * 20) / 1e6, (1000 * 5 + 500 * 25) / 1e6
    assert by_model["claude-opus-5-5"]["cost_usd"] == pytest.approx(declined + 0.014)
    assert by_model["claude-opus-4-8"]["cost_usd"] == pytest.approx(served)
    assert summary.cost_usd == pytest.approx(declined + served + 0.014)
    assert usage_of(folder)["cost_by_row"]["max"]["usd"] == pytest.approx(declined + served)


def test_an_unknown_fallback_names_itself_and_leaves_the_known_hop_counted(job):
    entries = [HOPS["iterations"][0], {**HOPS["iterations"][1], "model": "claude-next"}]
    folder, summary = job.run(fallen_back(0, {**HOPS, "iterations": entries}, served="claude-next"))
    assert summary.cost_usd is None
    assert summary.unpriced_models == ("claude-next",)
    assert usage_of(folder)["cost"]["priced_usd"] == pytest.approx(0.006)
    assert usage_of(folder)["cost"]["unpriced_results"] == 1


def test_what_was_written_down_counts_and_not_today_s_price():
    record = {
        "model": {"asked": "claude-opus-5-5", "served": "claude-opus-5-5"},
        "calls": [
            {"usage": {"input_tokens": 1}, "response": {"model": "claude-opus-5-5"}, "cost_usd": 7.0},
            {"usage": {"input_tokens": 1}, "response": {"id": "x"}, "cost_usd": 2.0},
        ],
    }
    assert list(paid_parts(record)) == [("claude-opus-5-5", 7.0), ("claude-opus-5-5", 2.0)]


def test_an_answer_that_tells_no_usage_has_an_unknown_cost_and_not_none_at_all():
    silent = {"usage": None, "response": {"model": "claude-opus-5-5"}, "cost_usd": None, "iterations": []}
    assert list(paid_parts({"model": {"asked": "m", "served": "m"}, "calls": [silent]})) == [("claude-opus-5-5", None)]


def test_the_price_table_and_its_date_are_written_down(job):
    own = price_table({"claude-opus-5-5": {"input": 3.2}}, date(2026, 11, 22))
    with job.open(1, prices=own) as run:
        run.done(ok(0))
        run.finish()
    told = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))["prices"]
    assert told == usage_of(run.folder)["prices"] == own.to_json()
    assert (told["source"], told["date"]) == ("genai-prices", "2026-11-22")


def test_what_caching_saved_goes_by_the_job_s_prices(job):
    cached = {"input_tokens": 0, "output_tokens": 1, "cache_read_input_tokens": 1_000_000}
    own = price_table({"claude-opus-5-5": {"input": 10, "cache_read": 1}}, date(2026, 11, 22))
    with job.open(1, prices=own) as run:
        run.done(ok(0, usage=cached))
        run.finish()
    assert usage_of(run.folder)["cache"]["saved_usd"] == pytest.approx(9)


def test_later_plans_learn_how_long_answers_are_from_the_newest_real_runs(job):
    job.run(ok(0), ok(1, usage={"input_tokens": 1, "output_tokens": 300}))
    job.run(ok(0, usage=HOPS), fresh=True)
    assert earlier_lengths(job.folder) == {"claude-opus-5-5": (3, 500 + 300 + 600)}
    assert earlier_lengths(job.root / "nothing") == {}


def test_simulated_answers_say_nothing_of_length(job):
    folder, _ = job.run(replace(ok(0), simulated=True))
    assert usage_of(folder)["asked"] == {}
    assert earlier_lengths(job.folder) == {}
