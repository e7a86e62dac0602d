"""Prefix ends, what breaks them, how a plan counts them, and where breakpoints come to stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from request_key import request_key

from runner.prompts.breakpoints import Breakpoints, prefix_hash, unmarked
from runner.prompts.build import RequestBuilder
from runner.prompts.cache_advice import with_cache
from runner.prompts.plan import PlanLedger
from runner.prompts.prefixes import Prefixes
from runner.records import Plan, PrefixEnd, Request, Row
from runner.spec.job import CacheSpec, JobSpec

LONG = "You sort support tickets with care. " * 200
MODEL = "claude-opus-4-8"  # caches from 1,024 tokens on


def body(**changes: Any) -> dict[str, Any]:
    question = [{"role": "user", "content": "Which?"}]
    return {"model": MODEL, "max_tokens": 100, "system": LONG, "messages": question, **changes}


def ends(**changes: Any) -> list[PrefixEnd]:
    return list(Prefixes().all(body(**changes)))


def system_end(**changes: Any) -> int:
    return next(end.id for end in ends(**changes) if end.place[0] == "system")


FEW_SHOT = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": [{"type": "text", "text": "three"}, {"type": "text", "text": "four"}]},
]


def message_end(**changes: Any) -> int:
    return next(end.id for end in ends(**{"messages": FEW_SHOT, **changes}) if end.place == ("messages", 1))


def test_ends_stand_behind_tools_system_blocks_and_message_blocks() -> None:
    tools = [{"name": "a"}, {"name": "b"}]
    system = [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]
    found = ends(tools=tools, system=system, messages=FEW_SHOT)
    assert [end.place for end in found] == [
        ("tools", 1), ("system", 0), ("system", 1), ("messages", 0), ("messages", 1),
        ("messages", 2, 0), ("messages", 2, 1),
    ]  # fmt: skip
    assert [end.size for end in found] == sorted(end.size for end in found)


@pytest.mark.parametrize(
    "harmless",
    [
        {"max_tokens": 7},
        {"stop_sequences": ["END"]},
        {"metadata": {"user_id": "7"}},
        {"service_tier": "auto"},
        {"messages": [{"role": "user", "content": "Another question"}]},
        {"system": [{"type": "text", "text": LONG}]},
        {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]},
        {"output_config": {"effort": "low"}},
        {"thinking": {"type": "adaptive"}},
        {"tool_choice": {"type": "auto"}},
    ],
)
def test_what_does_not_break_a_system_prefix(harmless: Mapping[str, Any]) -> None:
    assert system_end(**harmless) == system_end()


@pytest.mark.parametrize(
    "breaking",
    [
        {"model": "claude-opus-5"},
        {"tools": [{"name": "a"}]},
        {"system": LONG + "."},
        {"speed": "fast"},
        {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        {"something_of_tomorrow": 1},
        {"messages": [{"role": "user", "content": [{"type": "document", "citations": {"enabled": True}}]}]},
    ],
)
def test_what_breaks_it(breaking: Mapping[str, Any]) -> None:
    assert system_end(**breaking) != system_end()


@pytest.mark.parametrize(
    "breaking",
    [{"output_config": {"effort": "low"}}, {"thinking": {"type": "adaptive"}}, {"tool_choice": {"type": "auto"}}],
)
def test_what_breaks_messages_alone(breaking: Mapping[str, Any]) -> None:
    assert message_end(**breaking) != message_end()


def test_roles_are_part_of_a_prefix() -> None:
    other = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}, FEW_SHOT[2]]
    assert message_end(messages=other) != message_end()


def test_a_prefix_under_the_minimum_is_no_candidate() -> None:
    short = body(system="Be brief.")
    assert Prefixes().long_enough(short, 200) == ()
    assert len(Prefixes().long_enough(body(), 8000)) == 1
    assert Prefixes().long_enough(body(model="claude-haiku-4-5"), 8000) == ()  # needs 4,096 tokens


def test_the_whole_request_is_no_prefix_and_an_image_counts_its_tokens() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    content = [image, {"type": "text", "text": "In French."}]
    asked = {"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": content}]}
    assert [end.place for end in Prefixes().long_enough(asked, 200)] == [("messages", 0, 0)]


# ---------------------------------------------------------------- plan


MakeJob = Callable[..., JobSpec]
MakeRow = Callable[..., Row]


@pytest.fixture
def ledger() -> Iterator[PlanLedger]:
    made = PlanLedger()
    yield made
    made.close()


def planned(job: JobSpec, rows: list[Row], ledger: PlanLedger, concurrency: int = 20) -> tuple[Plan, list[Request]]:
    first = RequestBuilder(job, service="anthropic").requests(rows)
    plan = ledger.add(first, cells=len(job.cells), repeat=job.repeat, ttl=job.cache.ttl, concurrency=concurrency)
    plan = with_cache(plan, job, ledger.prefixes)
    return plan, list(RequestBuilder(job, service="anthropic", choose=ledger.prefixes.choose).requests(rows))


def marks(request: Request) -> list[tuple[str, str]]:
    """(place, ttl) of every breakpoint in a body."""
    tree = json.loads(request.body)
    found = []
    for name in ("tools", "system"):
        for at, block in enumerate(tree.get(name) or () if not isinstance(tree.get(name), str) else ()):
            found += [(f"{name}[{at}]", block["cache_control"].get("ttl", "5m"))] if "cache_control" in block else []
    for at, message in enumerate(tree["messages"]):
        for inner, block in enumerate(message["content"] if isinstance(message["content"], list) else ()):
            where = f"messages[{at}][{inner}]"
            found += [(where, block["cache_control"].get("ttl", "5m"))] if "cache_control" in block else []
    return found


def fields(**changes: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 100, "system": LONG, "prompt": "Sort: {{ text }}", **changes}


def test_a_shared_system_prompt_gets_one_breakpoint(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    rows = [make_row(n, text=f"t{n}") for n in range(1, 6)]
    plan, requests = planned(make_job(fields()), rows, ledger)
    assert [marks(request) for request in requests] == [[("system[0]", "5m")]] * 5
    assert len({request.prefix for request in requests}) == 1
    assert plan.cache is not None
    assert (plan.cache.writes, plan.cache.reads, plan.cache.ttl) == (1, 4, "5m")
    assert plan.cache.read_tokens == pytest.approx(4 * plan.cache.written_tokens, abs=2)


def test_keys_are_those_without_caching(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    rows = [make_row(n, text=f"t{n}") for n in range(1, 4)]
    _, cached = planned(make_job(fields()), rows, ledger)
    plain = RequestBuilder(make_job(fields(), cache=CacheSpec("off")), service="anthropic").requests(rows)
    assert [one.key for one in cached] == [one.key for one in plain]


def test_nobody_shares_nothing_is_marked(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    rows = [make_row(n, text=f"t{n}") for n in range(1, 4)]
    plan, requests = planned(make_job(fields(system=LONG + "{{ text }}")), rows, ledger)
    assert [marks(request) for request in requests] == [[], [], []]
    assert plan.cache is None


def test_identical_requests_do_not_share(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    """They are sent once, so nobody would read what they write."""
    rows = [make_row(n, text="same") for n in range(1, 4)]
    plan, requests = planned(make_job(fields()), rows, ledger)
    assert plan.identical == 2
    assert marks(requests[0]) == []


def test_forty_variants(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    rows = [make_row(n, text=f"t{n}", kind=f"k{n % 40}") for n in range(2000)]
    plan, requests = planned(make_job(fields(system="{{ kind }} " + LONG)), rows, ledger)
    assert plan.cache is not None
    assert (plan.cache.writes, plan.cache.reads) == (40, 1960)
    assert len({request.prefix for request in requests}) == 40


def test_a_wider_prefix_gets_a_breakpoint_of_its_own(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    """All share the first block, five rows each the second: written once, and then read by every variant's leader."""
    system = [{"type": "text", "text": LONG}, {"type": "text", "text": "For {{ kind }}: " + LONG}]
    rows = [make_row(n, text=f"t{n}", kind=f"k{n % 4}") for n in range(20)]
    plan, requests = planned(make_job(fields(system=system)), rows, ledger)
    assert marks(requests[0]) == [("system[0]", "5m"), ("system[1]", "5m")]
    assert len({request.prefixes[0] for request in requests}) == 1
    assert len({request.prefixes[1] for request in requests}) == 4
    assert plan.cache is not None
    assert (plan.cache.writes, plan.cache.reads) == (4, 16)


def test_a_prefix_that_all_share_alike_needs_one_breakpoint(
    make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger
) -> None:
    system = [{"type": "text", "text": LONG}, {"type": "text", "text": "More."}]
    _, requests = planned(make_job(fields(system=system)), [make_row(n, text=f"t{n}") for n in range(3)], ledger)
    assert marks(requests[0]) == [("system[1]", "5m")]


def test_never_more_than_three(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    system = [{"type": "text", "text": f"{LONG}{{{{ (n // {2**at}) | int }}}}"} for at in (5, 4, 3, 2, 1)]
    rows = [make_row(n, n=n, text=f"t{n}") for n in range(64)]
    _, requests = planned(make_job(fields(system=system)), rows, ledger)
    places = [place for place, _ in marks(requests[0])]
    assert places == ["system[0]", "system[1]", "system[4]"]  # the longest, and those that most requests share


def test_a_matrix_over_effort_shares_the_system_prompt_not_the_messages(
    make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger
) -> None:
    messages = [*FEW_SHOT[:2], {"role": "user", "content": "{{ text }}"}]
    messages[0] = {"role": "user", "content": LONG}
    cells = [
        {"fields": {"model": MODEL, "max_tokens": 9, "system": LONG, "messages": messages, "effort": effort}}
        for effort in ("low", "high")
    ]
    _, requests = planned(make_job(cells=cells), [make_row(1, text="a")], ledger)
    assert [marks(request) for request in requests] == [[("system[0]", "5m")]] * 2


def test_an_hour_when_uses_lie_far_apart(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    rows = [make_row(n, text=f"t{n}", kind=f"k{n % 100}") for n in range(400)]
    plan, requests = planned(make_job(fields(system="{{ kind }} " + LONG)), rows, ledger, concurrency=1)
    assert plan.cache is not None
    assert plan.cache.ttl == "1h"
    assert marks(requests[0]) == [("system[0]", "1h")]
    assert requests[0].prefixes[0].seconds == 3600


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_a_ttl_of_the_spec_holds(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger, ttl: Any) -> None:
    job = make_job(fields(), cache=CacheSpec(ttl=ttl))
    _, requests = planned(job, [make_row(n, text=f"t{n}") for n in range(3)], ledger)
    assert marks(requests[0]) == [("system[0]", ttl)]


# ---------------------------------------------------------------- the other modes


def test_automatic_is_the_apis_own_field(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    job = make_job(fields(), cache=CacheSpec("automatic", ttl="1h"))
    _, requests = planned(job, [make_row(n, text=f"t{n}") for n in range(3)], ledger)
    assert json.loads(requests[0].body)["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert requests[0].prefixes == ()


def test_manual_marks_exactly_what_is_marked(make_job: MakeJob, make_row: MakeRow, ledger: PlanLedger) -> None:
    system = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}]
    job = make_job(fields(system=system), cache=CacheSpec("manual", ttl="1h"))
    _, requests = planned(job, [make_row(n, text=f"t{n}") for n in range(3)], ledger)
    assert marks(requests[0]) == [("system[0]", "1h")]
    assert len({request.prefix for request in requests}) == 1


def test_a_marked_file_has_the_key_of_an_unmarked_one() -> None:
    mark = {"type": "ephemeral", "whole": True}
    marked = body(system=[{"type": "text", "text": LONG, "cache_control": mark}])
    assert request_key("anthropic", (), unmarked(marked), 0) == request_key("anthropic", (), body(), 0)
    made = Breakpoints(CacheSpec("manual")).mark(marked, 8000)
    assert made.tree is not None
    assert made.tree["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert [prefix.hash for prefix in made.prefixes] == [prefix_hash(end) for end in ends()]
