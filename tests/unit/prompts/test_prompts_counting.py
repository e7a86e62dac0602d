"""Counting on a sample: what is asked, and how near what is worked out comes to the truth."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from runner.prompts.counting import Chosen, Group, choose, countable, cut, estimate, filler_alone, prefix_alone, ratio
from runner.records import PrefixEnd, Request, Source

FILLER = {"role": "user", "content": "."}
BODY = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "metadata": {"user_id": "u"},
    "fallbacks": "default",
    "stop_sequences": ["x"],
    "tools": [{"name": "a"}, {"name": "b"}],
    "system": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "q"}, {"type": "text", "text": "r"}]},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "s"},
    ],
}


def request(n=0, body=BODY, **changes):
    fields = {"n": n, "id": f"r{n}", "cell": {}, "repeat": 0, "key": f"{n:064x}", "model": "claude-opus-5-5"}
    return Request(**fields, max_tokens=100, body=orjson.dumps(body), source=Source("rows.csv", n + 2), **changes)


def body_of(asked):
    return orjson.loads(asked.body)


def test_only_what_counting_takes_is_asked():
    assert body_of(countable(request())).keys() == {"model", "tools", "system", "messages"}


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        (("tools", 1), {"tools": BODY["tools"], "messages": [FILLER]}),
        (("system",), {"tools": BODY["tools"], "system": BODY["system"], "messages": [FILLER]}),
        (("system", 0), {"tools": BODY["tools"], "system": BODY["system"][:1], "messages": [FILLER]}),
        (("messages", 0, 0), {"messages": [{"role": "user", "content": BODY["messages"][0]["content"][:1]}]}),
        (("messages", 1), {"messages": [*BODY["messages"][:2], FILLER]}),
        (("messages", 2), {"messages": BODY["messages"]}),
    ],
)
def test_a_prefix_ends_behind_its_last_block(place, kept):
    made = cut(BODY, place)
    assert {name: made.get(name) for name in kept} == kept
    if place[0] == "tools":
        assert "system" not in made


def test_a_prefix_is_asked_for_without_what_follows_it():
    group = Group(request(), PrefixEnd(1, 3, ("system", 0)))
    assert body_of(prefix_alone(group))["messages"] == [FILLER]
    assert body_of(filler_alone(group.of)) == {"model": "claude-opus-5-5", "messages": [FILLER]}


def test_a_sample_of_everything_is_exact():
    assert ratio([(10, 3), (20, 9)], 30, 2) == (12, 0.0)
    assert ratio([], 0, 0) == (0.0, 0.0)


def test_texts_of_one_kind_need_no_interval():
    assert ratio([(35.0, 10.0)] * 20, 35_000.0, 1000) == pytest.approx((10_000, 0))


def test_the_interval_holds_about_as_often_as_it_says():
    rng, held = Random(5), 0
    for _ in range(400):
        texts = [(size := rng.uniform(100, 900), size / rng.gauss(3.6, 0.5)) for _ in range(300)]
        total, margin = ratio(rng.sample(texts, 20), sum(size for size, _ in texts), len(texts))
        held += abs(total - sum(tokens for _, tokens in texts)) <= margin
    assert 0.90 <= held / 400 <= 0.99


def test_a_shared_prefix_counts_exactly_however_many_share_it():
    end = PrefixEnd(7, 7_000, ("system",))
    shared = [request(n, ends=(end,), prefixes=(_prefix(end),)) for n in range(100)]
    chosen = Chosen("claude-opus-5-5", 100, 100 * 7_350, dict.fromkeys(range(20), 7350))
    choose(shared, {"claude-opus-5-5": chosen})
    assert len(chosen.sampled) == 20
    ((hash, group),) = chosen.groups.items()
    assert group.uses == 100
    told = estimate(chosen, [2_100 + 90] * 20, {hash: 2_100})
    assert told.tokens == pytest.approx(100 * 2_190)
    assert told.margin == pytest.approx(0)
    assert told.prefixes == pytest.approx(2_100 / 2_000)
    assert told.counted == 20


def _prefix(end):
    from runner.prompts.breakpoints import prefix_hash
    from runner.records import Prefix

    return Prefix(prefix_hash(end), 300.0)
