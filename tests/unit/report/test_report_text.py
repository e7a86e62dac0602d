"""What a person reads, as snapshots; and that nothing a row or a reply says can act on the terminal."""

from __future__ import annotations

import json
import shlex
from datetime import date

import pytest

from runner.errors import Position, Problem
from runner.models.estimate import Part, PlanCost, Sizes, model_cost
from runner.models.price_table import PriceTable, price_table
from runner.models.summary import Check, Group, Summary
from runner.models.usage import Tokens
from runner.prompts.changes import Changes, Newest
from runner.records import FAILURE_SCOPES, CachePlan, Failure, Plan
from runner.report.advice import advice
from runner.report.text import (
    cause_text,
    plan_json,
    plan_text,
    problems_text,
    runs_table,
    show_run_text,
    show_text,
    summary_json,
    summary_text,
)
from runner.report.words import duration, money

LIST = PriceTable(on=date(2026, 11, 22))
RUN = "20261122T092811.123Z-7f3a"
FAILURES = (
    Group("failed", "rate_limited", "This request would exceed your account's rate limit", 5, "T-1007", 429),
    Group("failed", "invalid_request", "messages.0.content: text content blocks must be non-empty", 2, "T-1012", 400),
    Group("refused", "cyber", "", 1, "T-1030"),
)


def summary(**changes):
    base = {
        "job": "triage",
        "run": RUN,
        "folder": f"outputs/triage/{RUN}",
        "total": 50,
        "results": 50,
        "good": 50,
        "finished": True,
        "tokens": Tokens(input=12_345, cache_read=20_000, output=4_000, thinking=1_200),
        "cost_usd": 0.1288,
        "priced_usd": 0.1288,
        "seconds": 12.3,
        "latency_p50": 0.81,
    }
    return Summary(**(base | changes))


def plan(**changes):
    base = {"hash": "a" * 64, "requests": 80, "rows": 40, "cells": 2, "repeat": 1, "identical": 0, "bad": 0}
    return Plan(**(base | {"models": ()} | changes))


def model_of(name, most, prices, requests=40, **changes):
    """20,000 tokens in, up to 80,000 out."""
    return model_cost(Sizes(name, (Part(requests, 20_000, 80_000),), **changes), prices, most)


def cost(*models, **changes):
    prices = {"source": "genai-prices", "version": "0.2.3", "date": "2026-11-22", "overrides": {}}
    models = models or (model_of("claude-opus-5-5", 2.16, LIST), model_of("claude-haiku-5-5", 0.054, LIST))
    return PlanCost(models, prices | changes.pop("prices", {}), **changes)


def test_all_good(snapshot):
    assert summary_text(summary()) == snapshot


def test_some_failed(snapshot):
    failed = summary(good=42, groups=FAILURES, transient=5, to_send=7, failed_to_send=7, finished=False, retries=31)
    assert summary_text(failed, command="`promptrun specs/triage.yaml` again") == snapshot


def test_failed_for_good(snapshot):
    assert summary_text(summary(good=47, groups=FAILURES[1:])) == snapshot


def test_simulated(snapshot):
    simulated = summary(simulated=True, folder=f"outputs/simulated/triage/{RUN}", reused=3, identical=3, limited=False)
    assert summary_text(simulated) == snapshot


def test_interrupted(snapshot):
    stopped = summary(
        results=20,
        good=20,
        left=30,
        to_send=30,
        finished=False,
        end="interrupted",
        maybe_billed_attempts=4,
        maybe_billed_usd=0.31,
    )
    assert summary_text(stopped, command="`promptrun specs/triage.yaml` again") == snapshot


REFUSED = Failure("authentication", "invalid x-api-key", 401, "authentication_error")
NO_API = Failure("authentication", "no Claude API at this address (HTTP 404): check ANTHROPIC_BASE_URL", 404)
TWO_HOURS = Failure("rate_limited", "the daily limit is reached", 429, "rate_limit_error", retry_after=7200)
BUSY = Failure("overloaded", "Overloaded", 529, "overloaded_error")


@pytest.mark.parametrize("cause", [REFUSED, NO_API, TWO_HOURS, BUSY], ids=["key", "address", "wait", "busy"])
def test_what_ended_the_run_and_what_to_do(cause, snapshot):
    failed = (Group("failed", "overloaded", "Overloaded", 20, "T-1", 529),) if cause is BUSY else ()
    stopped = summary(results=20, good=0, left=30, to_send=30, finished=False, end=cause.kind, groups=failed)
    assert summary_text(stopped, cause, command="`promptrun specs/triage.yaml` again") == snapshot
    alone = cause_text(stopped, cause, command="X").splitlines()
    whole = summary_text(stopped, cause, command="X").splitlines()
    assert [*whole[: len(alone) - 1], whole[-1]] == alone


def test_what_goes_on_sends_what_has_failed_for_good_too():
    stopped = summary(results=25, good=20, left=25, to_send=30, failed_to_send=5, finished=False, end="interrupted")
    lines = cause_text(stopped, None, command="`promptrun a.yaml` again").splitlines()
    assert lines == [
        "triage: 20 of 50 good (30 left, stopped: interrupted)",
        "next     `promptrun a.yaml` again: it goes on with the 30 requests left (5 of them failed)"
        " and pays for no answer twice",
    ]
    done = cause_text(summary(left=1, finished=False, end="interrupted"), None).splitlines()
    assert done[-1] == "next     the same command again: it finishes the files and sends nothing"


def test_a_finished_run_says_no_more_than_why():
    assert cause_text(summary(limited=False), None).splitlines() == ["triage: 50 of 50 good"]


def test_unpriced_and_unordered(snapshot):
    odd = summary(
        cost_usd=None,
        unpriced_models=("claude-next",),
        ordered=False,
        notes=("results.jsonl could not be put in order and is in order of arrival: Permission denied",),
    )
    assert summary_text(odd) == snapshot


def test_more_causes_than_fit_are_counted():
    groups = tuple(Group("failed", "bad_row", f"cause {n}", 1, f"row-{n}") for n in range(11))
    assert "… and 3 more causes" in summary_text(summary(good=39, groups=groups))


@pytest.mark.parametrize(
    ("id", "typed"),
    [
        ("Ticket 17", " 'Ticket 17'"),
        ("a/b-1.txt", " a/b-1.txt"),
        ("$(rm x)", " '$(rm x)'"),
        ("it's", ""),
        ("--help", ""),
        ("", " ''"),
    ],
)
def test_an_id_in_the_next_step_is_safe_to_paste(id, typed):
    groups = (Group("failed", "bad_row", "no text", 1, id),)
    assert summary_text(summary(good=49, groups=groups)).endswith(f"promptrun show triage@latest{typed}")


def test_the_outputs_folder_in_the_next_step_can_be_typed_whatever_its_name():
    text = summary_text(summary(), elsewhere="/home/ada/ada's jobs")
    assert shlex.split(text.splitlines()[-1])[-2:] == ["--output-dir", "/home/ada/ada's jobs"]


def test_the_summary_as_json():
    tree = json.loads(summary_json(summary(good=42, groups=FAILURES)))
    assert (tree["good"], tree["total"], tree["groups"][0]["example"]) == (42, 50, "T-1007")
    assert tree["tokens"]["cache_read"] == 20_000


@pytest.mark.parametrize("kind", FAILURE_SCOPES)
def test_every_failure_has_advice_of_its_own(kind):
    assert advice("failed", kind) != advice("failed", "")


@pytest.mark.parametrize("status", ["tool_use", "truncated", "refused", "invalid", "failed"])
def test_every_status_has_advice(status):
    assert advice(status, "")


def test_a_plan(snapshot):
    assert plan_text("triage", plan(), cost(), command="promptrun specs/triage.yaml") == snapshot


def test_a_plan_that_goes_on_with_bad_and_identical_rows(snapshot):
    warning = Problem("bad-row", "the row has no `text`", Position("data/t.csv", 9), severity="warning")
    odd = plan(cells=1, rows=80, identical=9, bad=1, problems=(warning,))
    goes_on = Changes(new=40, identical=9, answered=30, newest=Newest(RUN, 79, True, True, False), goes_on=RUN)
    assert plan_text("triage", odd, cost(model_of("claude-next", None, LIST, 70)), changes=goes_on) == snapshot


def test_a_plan_with_caches_earlier_runs_counted_input_and_prices_of_its_own(snapshot):
    caching = CachePlan(writes=1, reads=39, written_tokens=400, read_tokens=15_600, ttl="5m")
    own = price_table({"claude-opus-5-5": {"output": 16}}, date(2026, 11, 22))
    opus = model_of("claude-opus-5-5", 2.16, own, written=400, read=15_600, mean_output=210.0, margin=180.0)
    notes = ("12 may take further calls (turns), which come on top",)
    told = cost(opus, earlier=400, counted=20, prices=own.to_json() | {"version": "0.2.3"}, notes=notes)
    assert plan_text("triage", plan(cells=1, rows=80, cache=caching, fallbacks=("claude-opus-5-5",)), told) == snapshot


def test_a_plan_as_json():
    tree = json.loads(plan_json("triage", plan(), cost(), changes=Changes(answered=2)))
    assert (tree["requests"], tree["done"]) == (80, 2)
    assert tree["models"][0]["input_tokens"] == 20_000
    assert tree["models"][0]["least_usd"] == pytest.approx(0.08)
    assert tree["models"][0]["full_usd"] == pytest.approx(20_000 * 4e-6 + 80_000 * 20e-6)
    assert tree["models"][0]["batch"]["full_usd"] == tree["models"][0]["full_usd"] / 2
    assert tree["models"][0]["most_usd"] == 2.16
    assert tree["models"][0]["likely_usd"] is None
    assert tree["prices"]["date"] == "2026-11-22"


def test_problems_are_sorted_and_counted(snapshot):
    problems = [
        Problem("unwise", "probably a mistake", Position("b.yaml", 1, 1), severity="warning"),
        Problem(
            "unknown-key",
            "unknown key `max_token`",
            Position("a.yaml", 10, 1),
            "max_token",
            "Did you mean `max_tokens`?",
        ),
        Problem("type", "expected a number", Position("a.yaml", 9, 1), "repeat"),
        Problem("spec", "no place"),
    ]
    assert problems_text(problems) == snapshot
    assert problems_text([]) == ""


def run_json(**changes):
    base = {
        "run": RUN,
        "job": "triage",
        "simulated": False,
        "limited": False,
        "finished": True,
        "end": "complete",
        "plan": {"requests": 50},
        "spec": {"path": "specs/triage.yaml", "sha256": "b" * 64},
        "git": {"commit": "c0ffee"},
        "versions": {"python": "3.11.7", "promptrun": "0.1.0", "genai-prices": None},
        "counts": {"good": 42, "left": 0, "by_status": {"failed": 8, "ok": 42}},
        "sittings": [{"seconds": 12.3, "started": "2026-11-22T09:28:11.123Z"}],
    }
    return base | changes


def test_a_table_of_runs(snapshot):
    killed = run_json(finished=False, end=None, counts=None, sittings=[{"seconds": None}], simulated=True)
    stopped = run_json(finished=False, end="interrupted", limited=True, sittings=[{"seconds": 100}, {"seconds": 5000}])
    assert runs_table([killed, stopped, run_json(finished=False), run_json()]) == snapshot
    assert runs_table([]) == "no runs"


def test_the_header_of_a_run(snapshot):
    tokens = Tokens(input=12_345, cache_read=20_000, output=4_000).to_json()
    assert show_run_text(run_json(), {"tokens": tokens, "cost": {"usd": 0.1288}}) == snapshot
    assert "tokens" not in show_run_text(run_json(counts=None))


def attempt(n, failure=None):
    return {"n": n, "at": "2026-11-22T09:28:11.123Z", "seconds": 0.5, "request_id": f"req_{n}", "failure": failure}


def result(**changes):
    base = {
        "n": 730,
        "id": "T-1731",
        "cell": {},
        "repeat": 0,
        "source": {"file": "data/tickets.csv", "line": 732},
        "key": "d" * 64,
        "status": "ok",
        "good": True,
        "text": "severity: low\n",
        "stop_reason": "end_turn",
        "stop_details": None,
        "model": {"asked": "claude-opus-5-5", "served": "claude-opus-5-5"},
        "usage": {"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 20},
        "cost_usd": 0.00098,
        "failure": None,
        "calls": [{"attempts": [attempt(1)]}],
        "row": {"text": "My printer is on fire", "language": "en"},
        "reused_from": None,
        "simulated": False,
    }
    return base | changes


def test_a_result(snapshot):
    assert show_text(result()) == snapshot


def test_a_failed_result(snapshot):
    failure = {"kind": "overloaded", "message": "Overloaded"}
    calls = [{"attempts": [attempt(1, failure), attempt(2, failure)]}]
    model = {"asked": "claude-opus-5-5", "served": None}
    changes = {"status": "failed", "good": False, "text": None, "usage": None, "cost_usd": None}
    assert show_text(result(**changes, failure=failure, calls=calls, model=model, cell={"style": "short"})) == snapshot


def test_the_tools_that_a_reply_calls():
    calls = [
        {"type": "tool_use", "id": "toolu_1", "name": "get_order", "input": {"number": "A-1001"}},
        {"type": "tool_use", "id": "toolu_2", "name": "say\x1b[31m", "input": {}},
    ]
    shown = show_text(result(status="tool_use", text="", tool_calls=calls)).splitlines()
    assert [line for line in shown if line.startswith("calls")] == [
        'calls      get_order {"number":"A-1001"}',
        "calls      say [31m {}",
    ]


def test_attempts_say_which_call_they_were_for():
    calls = [{"attempts": [attempt(1)], "for": why, "turn": turn} for why, turn in [("turn", 0), ("ask_again", 1)]]
    first, second = (line for line in show_text(result(calls=calls)).splitlines() if line.startswith("attempt"))
    assert (first[-8:], second[-19:]) == (", turn 1", ", turn 2, ask again")


def test_a_reused_refusal(snapshot):
    details = {"category": "cyber", "explanation": "asks for an exploit"}
    changes = {"status": "refused", "good": False, "stop_reason": "refusal", "stop_details": details, "text": ""}
    first = {"run": RUN, "n": 3, "id": "T-1004"}
    assert show_text(result(**changes, calls=[], reused_from=first, simulated=True)) == snapshot


def test_the_audit_of_a_run_that_goes_on_says_whose_requests_it_looked_at():
    finding = "2 of 2 requests …"
    assert f"  cache: {finding}" in summary_text(summary(good=1, cache_audit=(finding,)))
    assert f"  cache, this sitting: {finding}" in summary_text(summary(good=1, cache_audit=(finding,), continued=True))


def test_no_escape_sequence_of_a_reply_reaches_the_terminal():
    evil = "\x1b]0;owned\x07\x1b[31m\u202e\r\x9b31m"
    failure = {"kind": "invalid_request", "message": evil}
    shown = [
        show_text(result(text=evil, id=evil, row={"text": evil}, source={"file": evil, "line": 2})),
        show_text(result(model={"asked": "claude-opus-5-5", "served": evil}, cell={"tone": evil})),
        show_text(result(calls=[{"attempts": [attempt(1) | {"request_id": evil}]}])),
        show_text(result(status="failed", good=False, failure=failure, calls=[{"attempts": [attempt(1, failure)]}])),
        summary_text(summary(good=1, groups=(Group("failed", "invalid_request", evil, 49, evil, 400),))),
    ]
    for text in shown:
        assert not set(text) & set("\x1b\x07\x9b\r\u202e")


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "unknown"),
        (0, "$0"),
        (0.0000012, "$0.0000012"),
        (0.00098, "$0.00098"),
        (0.0395, "$0.040"),
        (0.129, "$0.13"),
        (1, "$1.00"),
        (12345.678, "$12,345.68"),
    ],
)
def test_money(usd, text):
    assert money(usd) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.84, "0.8 s"), (12.3, "12 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_what_kind_of_run_it_is(snapshot):
    shard = {"k": 2, "of": 8, "limited": False}
    runs = [
        run_json(shard=shard, limited=True),
        run_json(shard=shard | {"limited": True}, limited=True, pinned=True),
        run_json(parent=RUN, retry={"statuses": ["failed", "refused"], "arguments": []}),
        run_json(merged=[{"run": RUN, "shard": "1/2"}, {"run": RUN, "shard": "2/2"}]),
    ]
    assert runs_table(runs) == snapshot
    assert "\n\n".join(show_run_text(run) for run in runs) == snapshot(name="one by one")


def test_a_check_that_just_fails_is_never_rounded_to_what_was_wanted(snapshot):
    failed = summary(total=100_000, good=98_999, checks=(Check("ok", ">= 99%", 98.999, False),))
    assert summary_text(failed) == snapshot
    assert "ok 98.99%, wanted >= 99%: failed" in summary_text(failed)
    passed = summary(good=49, checks=(Check("ok", ">= 95%", 98.0, True),))
    assert "ok 98%, wanted >= 95%: passed" in summary_text(passed)
    assert passed.passed
    assert json.loads(summary_json(failed))["checks"] == [
        {"name": "ok", "wanted": ">= 99%", "got": 98.999, "passed": False}
    ]
