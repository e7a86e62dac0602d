"""The prompt cache: token counts against numbers worked out by hand, a token being four bytes."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from runner.simulator import Simulator, SimulatorConfig
from runner.simulator.caching import Cache, CacheUse, positions

HEADERS = {"x-api-key": "k", "anthropic-version": "2026-10-21", "content-type": "application/json"}
MODEL = "claude-opus-4-8"  # 1,024 tokens and more are cached
SHORT, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}


def text(letter, tokens, control=None):
    """A text block of so many tokens."""
    block = {"type": "text", "text": letter * 4 * tokens}
    return block if control is None else {**block, "cache_control": control}


def body(system=(), content=None, **change):
    """system costs 3 tokens beside its blocks, and so does the message."""
    content = [text("q", 10)] if content is None else content
    asked = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    return {**asked, **({"system": list(system)} if system else {}), **change}


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Told:
    """A cache that is asked like the API is, one request after the other."""

    def __init__(self):
        self.clock = Clock()
        self.cache = Cache(self.clock)

    def ask(self, *arguments, **change):
        """(read, written for 5m, written for 1h)."""
        use = self.cache.use(body(*arguments, **change))
        self.cache.begin(use)
        return use.read, use.written_5m, use.written_1h


SYSTEM = [text("s", 2000, SHORT)]


def test_the_first_request_writes_and_the_next_reads():
    told = Told()
    assert told.ask(SYSTEM) == (0, 2003, 0)
    assert told.ask(SYSTEM, [text("r", 10)]) == (2003, 0, 0)
    assert told.ask([text("t", 2000, SHORT)]) == (0, 2003, 0)


def test_nothing_is_cached_without_a_breakpoint():
    told = Told()
    assert told.ask([text("s", 2000)]) == (0, 0, 0)
    assert told.ask(SYSTEM) == (0, 2003, 0)
    assert told.ask([text("s", 2000)]) == (0, 0, 0)


def test_nobody_reads_before_the_writing_response_began():
    told = Told()
    first, second = told.cache.use(body(SYSTEM)), told.cache.use(body(SYSTEM))
    assert first.written == second.written == 2003
    told.cache.begin(first)
    assert told.ask(SYSTEM) == (2003, 0, 0)


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("claude-opus-5", 512), ("claude-fable-5", 512), ("claude-fable-5-1", 512), ("claude-mythos-5", 512),
        ("claude-opus-4-8", 1024), ("claude-sonnet-5", 1024), ("claude-sonnet-4-6", 1024), ("claude-sonnet-4-5", 1024),
        ("claude-opus-4-7", 2048), ("claude-opus-4-6", 4096), ("claude-opus-4-5", 4096), ("claude-haiku-4-5", 4096),
        ("claude-haiku-4-5-20251001", 4096), ("claude-next-9", 1024),
    ],
)  # fmt: skip
def test_a_prefix_under_the_model_s_minimum_is_silently_not_cached(model, least):
    told = Told()
    assert told.ask([text("s", least - 4, SHORT)], model=model) == (0, 0, 0)
    assert told.ask([text("s", least - 3, SHORT)], model=model) == (0, least, 0)


@pytest.mark.parametrize(("control", "seconds"), [(SHORT, 300), ({**SHORT, "ttl": "5m"}, 300), (HOUR, 3600)])
def test_an_entry_lives_on_from_its_last_use(control, seconds):
    told = Told()
    system = [text("s", 2000, control)]
    told.ask(system)
    told.clock.now += seconds - 1
    assert told.ask(system)[0] == 2003
    told.clock.now += seconds - 1
    assert told.ask(system)[0] == 2003
    told.clock.now += seconds
    assert told.ask(system)[0] == 0


def test_lifetimes_are_counted_apart():
    told = Told()
    assert told.ask([text("s", 2000, HOUR)], [text("d", 500, SHORT), text("q", 10)]) == (0, 503, 2003)
    assert told.ask([text("s", 2000, HOUR)], [text("e", 500, SHORT), text("q", 10)]) == (2003, 503, 0)
    told.clock.now += 400
    assert told.ask([text("s", 2000, HOUR)], [text("e", 500, SHORT), text("q", 10)]) == (2003, 503, 0)


def test_the_top_level_marks_the_last_block():
    told = Told()
    assert told.ask(content=[text("d", 2000)], cache_control=SHORT) == (0, 2003, 0)
    grown = [
        {"role": "user", "content": [text("d", 2000)]},
        {"role": "assistant", "content": "a" * 40},
        {"role": "user", "content": "b" * 40},
    ]
    assert told.ask(messages=grown, cache_control=HOUR) == (2003, 0, 26)


def test_the_top_level_passes_over_thinking():
    thought = {"type": "thinking", "thinking": "x" * 40, "signature": "s"}
    turns = [{"role": "user", "content": [text("d", 2000)]}, {"role": "assistant", "content": [text("a", 1), thought]}]
    assert [position.ttl for position in positions(body(messages=turns, cache_control=SHORT))] == [None, "5m", ""]


def test_an_entry_within_twenty_blocks_is_found():
    told = Told()
    told.ask(content=[text("d", 2000, SHORT)])
    more = [text("m", 1)] * 18
    assert told.ask(content=[text("d", 2000), *more, text("z", 1, SHORT)]) == (2003, 19, 0)
    fresh = Told()
    fresh.ask(content=[text("d", 2000, SHORT)])
    assert fresh.ask(content=[text("d", 2000), *more, text("n", 1), text("z", 1, SHORT)]) == (0, 2023, 0)


def test_only_ends_of_breakpoints_are_entries():
    told = Told()
    told.ask(content=[text("d", 2000), text("e", 10, SHORT)])
    assert told.ask(content=[text("d", 2000, SHORT), text("f", 10)]) == (0, 2003, 0)


def test_a_string_is_a_text_block():
    told = Told()
    told.ask(SYSTEM, "q" * 4000, cache_control=SHORT)
    assert told.ask([text("s", 2000)], [text("q", 1000)], cache_control=SHORT) == (3006, 0, 0)


TOOL = {"name": "look", "description": "d" * 8000, "input_schema": {"type": "object"}}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
FORMAT = {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}


@pytest.mark.parametrize(
    ("change", "levels"),
    [
        ({"model": "claude-sonnet-5"}, ""),
        ({"tools": [{**TOOL, "description": "e" * 8000, "cache_control": SHORT}]}, ""),
        ({"speed": "fast"}, "t"),
        ({"output_config": {"format": FORMAT}}, "t"),
        ({"tool_choice": {"type": "none"}}, "ts"),
        ({"thinking": {"type": "adaptive"}}, "ts"),
        ({"output_config": {"effort": "low"}}, "ts"),
        ({"max_tokens": 7, "metadata": {"user_id": "u"}, "stop_sequences": ["x"], "stream": True}, "tsm"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "ts"),
    ],
)
def test_what_breaks_which_level(change, levels):
    told = Told()
    asked = {"tools": [{**TOOL, "cache_control": SHORT}], "system": SYSTEM}
    told.ask(content=[text("d", 2000, SHORT)], **asked)
    ends = [position.tokens for position in positions(body(content=[text("d", 2000, SHORT)], **asked))]
    expected = {"": 0, "t": ends[0], "ts": ends[1], "tsm": ends[2]}[levels]
    assert told.ask(content=[text("d", 2000, SHORT)], **{**asked, **change})[0] == expected


@pytest.mark.parametrize(
    ("block", "read"), [(IMAGE, 2003), (DOCUMENT, 4006), ({**DOCUMENT, "citations": {"enabled": True}}, 0)]
)
def test_images_and_citations_anywhere_break_what_comes_before(block, read):
    told = Told()
    told.ask(SYSTEM, [text("d", 2000, SHORT)])
    assert told.ask(SYSTEM, [text("d", 2000, SHORT), block])[0] == read


def test_changing_only_where_a_breakpoint_stands_or_its_lifetime_breaks_nothing():
    told = Told()
    told.ask(SYSTEM, [text("d", 2000, SHORT)])
    assert told.ask([text("s", 2000, HOUR)], [text("d", 2000), text("q", 1)]) == (2003, 0, 0)


def test_a_refused_or_broken_use_changes_nothing():
    told = Told()
    told.cache.use(body(SYSTEM))
    assert told.ask(SYSTEM) == (0, 2003, 0)
    assert told.cache.use(body()) == CacheUse()


def over_socket(asks, config=None):
    """The usages of the replies to `asks`, a list of groups that are each sent at once, and the log."""

    async def send(session, asked):
        async with session.post("/v1/messages", json=asked) as reply:
            return (await reply.json()).get("usage")

    async def run():
        async with (
            Simulator(config) as simulator,
            aiohttp.ClientSession(simulator.url, headers=HEADERS) as session,
        ):
            usages = [await asyncio.gather(*(send(session, asked) for asked in group)) for group in asks]
            return usages, simulator.log

    return asyncio.run(run())


def test_usage_says_what_was_read_and_written():
    (first, second), log = over_socket([[body([text("s", 2000, HOUR)])], [body([text("s", 2000, HOUR)])]])
    assert first[0] | {"output_tokens": 0, "output_tokens_details": None} == {
        "input_tokens": 13, "cache_creation_input_tokens": 2003, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2003},
        "output_tokens": 0, "output_tokens_details": None, "server_tool_use": None, "service_tier": "standard",
        "inference_geo": "global", "speed": None,
    }  # fmt: skip
    assert (second[0]["input_tokens"], second[0]["cache_read_input_tokens"]) == (13, 2003)
    assert (log.cache_writes, log.cache_reads, log.cache_write_tokens, log.cache_read_tokens) == (1, 1, 2003, 2003)
    assert log.to_json()["cache_writes"] == 1
    assert log.input_tokens == 26


def test_parallel_first_requests_all_pay_the_write():
    """The simulator gives them the time: a request that writes takes a little longer."""
    many = [body(SYSTEM, [text("q", n + 1)]) for n in range(10)]
    (_, later), log = over_socket([many, many], SimulatorConfig(cache_write_seconds=0.2))
    assert log.cache_writes == 10
    assert all(usage["cache_read_input_tokens"] == 2003 for usage in later)


def test_a_failed_request_writes_nothing():
    failing = body(SYSTEM, "[[simulate:overloaded=1]]")
    (first, second, third), _ = over_socket([[failing], [failing], [failing]])
    assert first == [None]
    assert (second[0]["cache_creation_input_tokens"], third[0]["cache_read_input_tokens"]) == (2003, 2003)


def test_a_pre_warm_writes_and_answers_nothing():
    (warm, read), _ = over_socket([[body(SYSTEM, max_tokens=0)], [body(SYSTEM)]])
    assert (warm[0]["cache_creation_input_tokens"], warm[0]["output_tokens"]) == (2003, 0)
    assert read[0]["cache_read_input_tokens"] == 2003


def test_the_rate_limit_counts_writes_but_not_reads():
    config = SimulatorConfig(input_tokens_per_minute=2100, cache_write_seconds=0)
    usages, log = over_socket([[body(SYSTEM)]] * 4, config)
    assert [bool(group[0]) for group in usages] == [True] * 4  # 2,016 for the first, 13 for each of the others
    assert log.statuses == {200: 4}
    usages, log = over_socket([[body([text("s", 2000)])]] * 2, config)
    assert log.statuses == {200: 1, 429: 1}


def test_each_model_of_a_fallback_chain_has_its_own_entries():
    declined = body(SYSTEM, "[[simulate:refusal]]", model="claude-opus-5-5", fallbacks=[{"model": MODEL}])

    async def run():
        headers = {**HEADERS, "anthropic-beta": "server-side-fallback-2026-07-01"}
        async with Simulator() as simulator, aiohttp.ClientSession(simulator.url, headers=headers) as session:
            return [(await (await session.post("/v1/messages", json=declined)).json())["usage"] for _ in range(2)]

    names = ("model", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert [
        [tuple(entry[name] for name in names) for entry in usage["iterations"]] for usage in asyncio.run(run())
    ] == [
        [("claude-opus-5-5", 2003, 0), (MODEL, 2003, 0)],
        [("claude-opus-5-5", 0, 2003), (MODEL, 0, 2003)],
    ]
