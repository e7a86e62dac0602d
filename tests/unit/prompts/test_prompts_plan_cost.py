"""The cost of a plan: its bound is the sum of every request's own, and its parts come from the ledger."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from random import Random
from types import SimpleNamespace

import pytest

from runner.models.price_table import PriceTable, price_table
from runner.models.worst_case import worst_case_usd
from runner.prompts.after import MOST_CONTINUATIONS, After
from runner.prompts.cap import cap_problems
from runner.prompts.plan import PlanLedger
from runner.prompts.plan_cost import Counted, Known, plan_cost
from runner.prompts.plan_sizes import reservoir
from runner.records import PrefixEnd, Request, Source, Terms
from runner.spec.job import CacheSpec, MaxCost, OutputSpec

LIST = PriceTable(on=date(2026, 11, 22))


def job(prices=LIST, max_cost=None, concurrency=None, **cache):
    run = SimpleNamespace(max_cost=max_cost, concurrency=concurrency)
    return SimpleNamespace(prices=prices, cache=CacheSpec(**cache), run=run, doc=None, path="job.yaml")


def request(n, size=350, *, model="claude-opus-5-5", max_tokens=100, key=None, **changes):
    fields = {
        "id": f"r{n}",
        "cell": {},
        "repeat": 0,
        "key": f"{n:064x}" if key is None else key,
        "source": Source("rows.csv", n + 2),
    }
    return Request(n=n, **fields, model=model, max_tokens=max_tokens, body=b"x" * size, **changes)


def cost(requests, known=Known(), **settings):  # noqa: B008 (frozen)
    with closing(PlanLedger()) as ledger:
        ledger.add(requests, cells=1, repeat=1)
        return plan_cost(ledger, job(**settings), known)


def test_the_bound_is_the_sum_of_every_request_s_own_on_both_sides_of_a_price_tier():
    rng = Random(3)
    models, terms = ["claude-haiku-5-5", "claude-opus-5-5"], [Terms(), Terms(2.0, ("claude-haiku-5-5",)), Terms(1.1)]
    requests = [
        request(
            n, rng.choice([10, 99_990, 100_000, 100_001, 140_000]), model=rng.choice(models),
            max_tokens=rng.choice([1, 20, 9_000]), media_tokens=rng.choice([0, 5]), terms=rng.choice(terms),
        )
        for n in range(120)
    ]  # fmt: skip
    made = cost(requests)
    for model in made.models:
        own = [
            worst_case_usd(one.model, one.most_tokens, one.max_tokens, LIST, one.terms)
            for one in requests
            if one.model == model.sizes.model
        ]
        assert model.most_usd == pytest.approx(sum(own))


def test_what_is_not_sent_is_not_paid():
    bad = request(2, 0, key="")
    made = cost([request(0), request(1, key=f"{0:064x}"), bad])
    assert [one.sizes.requests for one in made.models] == [1]
    assert made.models[0].sizes.tokens == 100


def test_a_shared_prefix_is_written_once_and_read_by_the_others():
    ends = (PrefixEnd(1, 7_000, ("system",)),)
    sizes = cost([request(n, 7_350, ends=ends) for n in range(10)]).models[0].sizes
    assert (sizes.written, sizes.read, sizes.tokens) == (2_000, 18_000, 21_000)
    assert cost([request(n, 7_350) for n in range(10)]).models[0].sizes.read == 0


def test_automatic_writes_everything_and_reads_nothing():
    sizes = cost([request(n, 7_000) for n in range(3)], mode="automatic", ttl="1h").models[0].sizes
    assert (sizes.written, sizes.read, sizes.ttl) == (6_000, 0, "1h")


def test_what_was_counted_takes_the_place_of_the_guess():
    ends = (PrefixEnd(1, 7_000, ("system",)),)
    known = Known(counted={"claude-opus-5-5": Counted(25_000, 120, 1.25, 20)})
    made = cost([request(n, 7_350, ends=ends) for n in range(10)], known)
    sizes = made.models[0].sizes
    assert sizes.tokens == pytest.approx(25_000)
    assert (sizes.margin, sizes.written, sizes.read) == (120, 2_500, 22_500)
    assert made.counted == 20


def test_earlier_runs_say_how_long_answers_are():
    known = Known(lengths={"claude-opus-5-5": (40, 800), "claude-other": (5, 5)})
    made = cost([request(n) for n in range(3)], known)
    assert (made.earlier, made.models[0].sizes.expected_output) == (40, 60)


def test_prices_of_the_spec_count_and_an_unknown_model_has_none():
    own = price_table({"claude-next": {"input": 1, "output": 1}}, date(2026, 11, 22))
    requests = [request(0, model="claude-next")]
    assert cost(requests).models[0].most_usd is None
    assert cost(requests, prices=own).models[0].most_usd == pytest.approx((350 * 2 + 100) / 1e6)
    hops = [request(0, terms=Terms(fallbacks=("claude-next",)))]
    assert cost(hops).models[0].most_usd is None


def test_it_says_what_is_in_none_of_the_numbers():
    assert cost([request(0)]).notes == ()
    asks_again = After(output=OutputSpec({"type": "object"}))
    made = cost([request(0, after=asks_again), request(1, terms=Terms(unbounded=("web_fetch", "mcp_servers")))])
    assert made.notes == (
        "2 may take further calls (turns, asking again, doubling): only `at most` has them",
        "1 may cost more than `at most`: nothing bounds web_fetch, mcp_servers",
    )


def test_the_bound_holds_every_call_that_may_follow():
    once = cost([request(0, 10_000)]).models[0].most_usd
    double = cost([request(0, 10_000, after=After(on_truncated="double"))]).models[0]
    assert double.full_usd == cost([request(0, 10_000)]).models[0].full_usd  # the estimate is the first call's
    calls = [(10_000, 200), (10_000 + 200, 200)]  # the bound lets the first reply be as long as the second
    expected = sum(worst_case_usd("claude-opus-5-5", most, written, LIST) for most, written in calls)
    assert double.most_usd == pytest.approx(expected)
    assert double.most_usd > 2 * once


def test_every_search_of_every_call_and_model_is_in_the_bound():
    for fallbacks in ((), ("claude-opus-4-8",)):
        using, searching = (Terms(fallbacks=fallbacks, uses=2, searches=searches) for searches in (0, 2))
        without, bound = (cost([request(0, terms=terms)]).models[0].most_usd for terms in (using, searching))
        calls = 1 + MOST_CONTINUATIONS  # the turn may be paused that often
        assert bound - without == pytest.approx(2 * 0.01 * calls * (1 + len(fallbacks)))


def test_doubling_ends_at_the_model_s_limit():
    near = request(0, 10, max_tokens=100_000, after=After(on_truncated="double"))
    written = 2 * 128_000
    input = (2 * 10 + 128_000) * 8
    assert cost([near]).models[0].most_usd == pytest.approx((input + written * 20) / 1e6)


def test_a_sample_is_the_same_every_time_and_gives_everyone_the_same_chance():
    with closing(PlanLedger()) as ledger:
        ledger.add([request(n) for n in range(100)], cells=1, repeat=1)
        first = ledger.sample("claude-opus-5-5", 20, 7)
        assert first == ledger.sample("claude-opus-5-5", 20, 7) != ledger.sample("claude-opus-5-5", 20, 8)
        assert len(first) == 20
        assert set(first.values()) == {350}
    rng, chosen = Random(1), [0] * 10
    for _ in range(3_000):
        for item in reservoir(iter(range(10)), 3, rng.randrange):
            chosen[item] += 1
    assert all(800 < times < 1_000 for times in chosen)


# ---------------------------------------------------------------- under a cap


def test_what_is_put_aside_for_each_decides_how_many_are_in_flight():
    requests = [request(n, size) for n, size in enumerate([1_000, 9_000, 2_000, 4_000])]
    each = [worst_case_usd(one.model, one.most_tokens, one.max_tokens, LIST) for one in requests]
    budget = cost(requests, max_cost=MaxCost(2.5 * sum(each) / 4)).budget
    held = budget.reserved
    assert (held.least, held.most, held.id) == (pytest.approx(min(each)), pytest.approx(max(each)), "r1")
    assert held.mean == pytest.approx(sum(each) / 4)
    assert (budget.at_once, budget.wanted) == (2, 4)
    assert cost(requests, max_cost=MaxCost(100), concurrency=3).budget.at_once == 3


def test_without_a_cap_or_a_price_nothing_is_said_of_one():
    assert cost([request(0)]).budget is None
    assert cost([request(0, model="claude-next")], max_cost=MaxCost(1)).budget is None
    assert cost([request(0, 0, key="")], max_cost=MaxCost(1)).budget is None


def test_what_is_put_aside_is_for_a_first_call_alone():
    plain, doubles = request(0), request(0, after=After(on_truncated="double"))
    assert cost([plain], max_cost=MaxCost(1)).budget == cost([doubles], max_cost=MaxCost(1)).budget


def problems(requests, usd, *, best_effort=False, flag=False):
    with closing(PlanLedger()) as ledger:
        ledger.add(requests, cells=1, repeat=1)
        cap = MaxCost(usd, best_effort)
        return [(one.rule, one.severity) for one in cap_problems(job(max_cost=cap), ledger, cap, flag=flag)]


@pytest.mark.parametrize("flag", [True, False])
def test_a_cap_that_is_no_wall_is_an_error_unless_its_author_knows(flag):
    unpriced = [request(0, terms=Terms(fallbacks=("claude-next",)))]
    unbounded = [request(1, terms=Terms(unbounded=("code_execution",)))]
    assert problems(unpriced, 5, flag=flag) == [("cap-unpriced", "error")]
    assert problems([request(0), *unbounded], 5, flag=flag) == [("cap-unbounded", "error")]
    assert problems(unpriced + unbounded, 5, best_effort=True, flag=flag) == []
    assert problems([request(0)], 5, flag=flag) == []


def test_a_cap_that_lets_some_or_no_request_through_is_warned_of():
    small, large = request(0, 100), request(1, 100_000)
    assert problems([small, large], 0.1) == [("cap-too-small", "warning")]
    assert problems([small, large], 0.001) == [("cap-too-small", "warning")]
    assert problems([small, large], 5) == []
