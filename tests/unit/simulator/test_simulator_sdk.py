"""Any `anthropic` client works against the simulator: the real SDK over a real socket."""

from __future__ import annotations

import asyncio
import threading

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic, DefaultAioHttpClient

from runner.simulator import Simulator, SimulatorConfig

TOOL = {"name": "t", "input_schema": {"type": "object"}}
GOOD = {"model": "claude-opus-5-5", "max_tokens": 1000}


def hello(text="Hello"):
    return {**GOOD, "messages": [{"role": "user", "content": text}]}


@pytest.fixture(scope="module")
def url():
    """A simulator in a thread of its own, for the synchronous client."""
    started, stop, box = threading.Event(), asyncio.Event(), {}

    async def main():
        async with Simulator(SimulatorConfig(requests_per_minute=100_000)) as simulator:
            box.update(url=simulator.url, loop=asyncio.get_running_loop())
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert started.wait(30)
    yield box["url"]
    box["loop"].call_soon_threadsafe(stop.set)
    thread.join(30)


@pytest.fixture(scope="module")
def client(url):
    with Anthropic(api_key="any", base_url=url, max_retries=0) as client:
        yield client


def test_create(client):
    message = client.messages.create(**hello(), system="Be brief.", metadata={"user_id": "u"}, service_tier="auto")
    assert message.content[0].text.startswith('[claude-opus-5-5] You asked: "Hello"')
    assert (message.role, message.stop_reason, message.model) == ("assistant", "end_turn", "claude-opus-5-5")
    assert message.usage.cache_creation.ephemeral_1h_input_tokens == 0


def test_raw_headers(client):
    raw = client.messages.with_raw_response.create(**hello())
    assert raw.headers["x-promptrun-simulated"] == "1"
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "100000"
    assert raw.parse().type == "message"
    assert raw.headers["request-id"].startswith("req_sim_")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"max_tokens": 5},
        {"stop_sequences": ["asked"]},
        {"model": "claude-opus-4-6", "tools": [TOOL], "tool_choice": {"type": "any"}},
    ],
)  # fmt: skip
def test_a_streamed_message_is_the_same_as_a_plain_one(client, more):
    plain = client.messages.create(**{**hello(), **more})
    with client.messages.stream(**{**hello(), **more}) as stream:
        streamed = stream.get_final_message()
    dropped = {"parsed_output", "server_tool_use"}
    assert streamed.model_dump(exclude={"content"}) == plain.model_dump(exclude={"content"})
    assert [block.model_dump(exclude=dropped) for block in streamed.content] == [b.model_dump() for b in plain.content]


def test_raw_events(client):
    kinds = [event.type for event in client.messages.create(**hello(), stream=True)]
    assert kinds == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip


def test_count_tokens(client):
    few = client.messages.count_tokens(model="claude-opus-5-5", messages=hello()["messages"]).input_tokens
    many = client.messages.count_tokens(model="claude-opus-5-5", messages=hello("x" * 4000)["messages"]).input_tokens
    assert (few, many) == (5, 1003)
    assert client.messages.create(**hello()).usage.input_tokens == few


def test_models(client):
    ids = [model.id for model in client.models.list(limit=5)]
    assert len(ids) == 22
    opus = client.models.retrieve("claude-opus-5-5")
    assert (opus.type, opus.lifecycle, opus.line, opus.max_tokens) == ("model", "active", "opus", 128_000)
    assert opus.capabilities.effort.xhigh.supported
    assert opus.capabilities.thinking.types.adaptive.supported
    assert not opus.capabilities.thinking.types.disabled.supported
    sonnet = client.models.retrieve("claude-sonnet-4-5")
    assert (sonnet.lifecycle, sonnet.retires_at.date().isoformat()) == ("deprecated", "2026-11-30")


def test_beta_messages_are_accepted(client):
    message = client.beta.messages.create(**hello(), betas=["server-side-fallback-2026-07-01"], fallbacks="default")
    assert message.type == "message"


DOCUMENT = {
    "type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grass is green. So it is."},
    "citations": {"enabled": True},
}  # fmt: skip
FALLBACK, COMPACT, MCP = "server-side-fallback-2026-07-01", "compact-2026-01-12", "mcp-client-2025-11-20"


@pytest.mark.parametrize(
    ("beta", "more"),
    [
        (FALLBACK, {**hello("[[simulate:refusal]]"), "fallbacks": [{"model": "claude-opus-4-8"}]}),
        (FALLBACK, {**hello("[[simulate:refusal=all]]"), "fallbacks": [{"model": "claude-opus-4-8"}]}),
        (FALLBACK, {**hello(), "fallbacks": "default"}),
        (COMPACT, {**hello("[[simulate:compact]]"), "context_management": {"edits": [{"type": "compact_20260112"}]}}),
        ("compact-2026-09-04", {**hello(), "compaction": {"type": "summarize"}}),
        (
            MCP,
            {
                **hello(), "mcp_servers": [{"type": "url", "url": "https://m.example", "name": "m"}],
                "tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}],
            },
        ),
        (MCP, {**hello(), "tools": [{"type": "web_search_20260318", "name": "web_search"}]}),
        (MCP, {**hello(), "tools": [{"type": "code_execution_20260521", "name": "code_execution"}]}),
        (MCP, hello([DOCUMENT, {"type": "text", "text": "What colour?"}])),
        (MCP, hello("[[simulate:pause]]")),
    ],
)  # fmt: skip
def test_every_feature_streams_as_it_answers(client, beta, more):
    plain = client.beta.messages.create(**{**GOOD, **more}, betas=[beta])
    with client.beta.messages.stream(**{**GOOD, **more}, betas=[beta]) as stream:
        streamed = stream.get_final_message()
    dropped = {"content": {"__all__": {"parsed_output"}}, "container": {"expires_at"}, "parsed_output": True}
    assert streamed.model_dump(exclude=dropped) == plain.model_dump(exclude=dropped)


def test_the_sdk_s_own_fallback_hops(url):
    from anthropic import BetaFallbackState, BetaRefusalFallbackMiddleware

    hop = BetaRefusalFallbackMiddleware([{"model": "claude-opus-4-8"}])
    with Anthropic(api_key="any", base_url=url, max_retries=0, middleware=[hop]) as client, BetaFallbackState():
        message = client.beta.messages.create(**hello("[[simulate:refusal=claude-opus-5-5]]"))
    assert (message.model, message.content[0].type) == ("claude-opus-4-8", "fallback")


def test_an_unknown_beta_is_a_bad_request(client):
    with pytest.raises(anthropic.BadRequestError, match=r"Unexpected value\(s\) `what-2026`"):
        client.beta.messages.create(**hello(), betas=["what-2026"])


def test_files(client):
    file = client.files.upload(file=("notes.pdf", b"%PDF-1.7", "application/pdf"))
    assert (file.filename, file.mime_type, file.size_bytes) == ("notes.pdf", "application/pdf", 8)
    assert client.files.retrieve_metadata(file.id) == file
    source = {"type": "file", "file_id": file.id}
    asked = hello([{"type": "document", "source": source}, {"type": "text", "text": "Summarise."}])
    assert client.messages.create(**asked).stop_reason == "end_turn"
    assert file.id in [other.id for other in client.files.list(limit=1)]
    assert client.files.delete(file.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**asked)


def test_counting_agrees_with_usage_and_ignores_caching(client):
    block = {"type": "text", "text": "x" * 8000}
    asked = {**hello([DOCUMENT, {"type": "text", "text": "?"}]), "tools": [{**TOOL, "name": "unheard_of"}]}
    counted = []
    for system in ([block], [{**block, "cache_control": {"type": "ephemeral"}}]):
        counts = {name: asked[name] for name in ("model", "messages", "tools")}
        counted.append(client.messages.count_tokens(**counts, system=system).input_tokens)
        usage = client.messages.create(**asked, system=system).usage
        assert usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens == counted[-1]
    assert counted[0] == counted[1]


@pytest.mark.parametrize(
    ("marker", "error", "code"),
    [
        ("400", anthropic.BadRequestError, None),
        ("401", anthropic.AuthenticationError, None),
        ("402", anthropic.PaymentRequiredError, None),
        ("403", anthropic.PermissionDeniedError, None),
        ("404", anthropic.NotFoundError, None),
        ("413", anthropic.ContentTooLargeError, None),
        ("429", anthropic.RateLimitError, None),
        ("500", anthropic.InternalServerError, None),
        ("529", anthropic.OverloadedError, None),
        ("spend_limit", anthropic.RateLimitError, "enforced_spend_limit_reached"),
        ("on_hold", anthropic.BadRequestError, "organization_on_hold"),
        ("dropped", anthropic.APIConnectionError, None),
    ],
)
def test_faults_become_the_sdk_s_exceptions(client, marker, error, code):
    with pytest.raises(error) as caught:
        client.messages.create(**hello(f"[[simulate:{marker}]]"))
    assert getattr(caught.value, "error_code", None) == code


def test_validation_becomes_a_bad_request(client):
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**GOOD, messages=[])
    assert caught.value.api_message == "messages: at least one message is required"
    assert caught.value.request_id.startswith("req_sim_")


def test_an_overload_inside_a_stream(client):
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(**hello("[[simulate:stream_overload]]")) as stream,
    ):
        stream.get_final_message()
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


def test_a_truncated_stream_has_no_stop_reason(client):
    with client.messages.stream(**hello("[[simulate:truncated_stream]]")) as stream:
        assert stream.get_final_message().stop_reason is None


def test_a_dropped_stream(client):
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        client.messages.stream(**hello("[[simulate:dropped_stream]]")) as stream,
    ):
        stream.get_final_message()


def test_a_client_that_retries_gets_through(url):
    with Anthropic(api_key="any", base_url=url, max_retries=1) as patient:
        assert patient.messages.create(**hello("[[simulate:overloaded=1]]")).stop_reason == "end_turn"


async def all_rows(url, stream, attempts=4):
    """Sends 200 rows and retries failures; the number of attempts the client made."""
    made = 0

    async with AsyncAnthropic(
        api_key="any", base_url=url, max_retries=0, http_client=DefaultAioHttpClient(), timeout=30
    ) as client:

        async def row(n):
            nonlocal made
            for _ in range(attempts):
                made += 1
                try:
                    if not stream:
                        return await client.messages.create(**hello(f"row {n}"))
                    async with client.messages.stream(**hello(f"row {n}")) as events:
                        message = await events.get_final_message()
                    if message.stop_reason:
                        return message
                except (anthropic.APIError, httpx2.HTTPError):
                    continue
            raise AssertionError(f"row {n} never got an answer")

        messages = await asyncio.gather(*(row(n) for n in range(200)))
    assert all(f'"row {n}"' in message.content[0].text for n, message in enumerate(messages))
    return made


@pytest.mark.parametrize("stream", [False, True])
def test_faults_of_every_kind_end_in_answers_and_the_log_knows_each_attempt(stream):
    kinds = ("rate_limited", "overloaded", "server_error", "dropped", "cut_body", "stream_overload", "dropped_stream",
             "truncated_stream")  # fmt: skip
    config = SimulatorConfig(fault_rate=0.3, fault_kinds=kinds, seed=7)

    async def run():
        async with Simulator(config) as simulator:
            return await all_rows(simulator.url, stream), simulator.log

    made, log = asyncio.run(run())
    assert log.messages == made
    assert log.outcomes["completed"] == 200
    expected = set(kinds) - ({"cut_body"} if stream else {"stream_overload", "dropped_stream", "truncated_stream"})
    assert set(log.faults) == expected
    assert min(log.faults.values()) >= 5
    assert sum(log.faults.values()) == made - 200
    assert log.in_flight == 0
