"""The simulator over a real socket, spoken to in plain HTTP."""

from __future__ import annotations

import asyncio
import io
import time

import aiohttp
import orjson
import pytest

from runner.errors import SpecError
from runner.simulator import Simulator, SimulatorConfig, serve
from runner.simulator.server import _serve

HEADERS = {"x-api-key": "k", "anthropic-version": "2026-10-21", "content-type": "application/json"}
GOOD = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


def says(text, **change):
    return {**GOOD, "messages": [{"role": "user", "content": text}], **change}


def with_simulator(body, config=None, **arguments):
    """Run `body(simulator, session)` against a fresh simulator and return its result."""

    async def run():
        simulator = Simulator(config, **arguments)
        await simulator.start()
        try:
            async with aiohttp.ClientSession(simulator.url, headers=HEADERS) as session:
                return await body(simulator, session)
        finally:
            await simulator.stop()

    return asyncio.run(run())


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the simulator has nothing that could set an event for us
        await asyncio.sleep(0)


def asks(method, path, *, config=None, **arguments):
    """One request's (status, headers, parsed body)."""

    async def body(_simulator, session):
        async with session.request(method, path, **arguments) as reply:
            return reply.status, reply.headers, orjson.loads(await reply.read())

    return with_simulator(body, config)


def error_of(reply):
    status, headers, body = reply
    assert body["type"] == "error"
    assert body["request_id"] == headers["request-id"]
    return status, body["error"]["type"], body["error"]["message"]


def test_every_reply_says_it_is_simulated():
    for reply in (asks("POST", "/v1/messages", json=GOOD), asks("GET", "/nothing")):
        assert reply[1]["x-promptrun-simulated"] == "1"
        assert reply[1]["request-id"].startswith("req_sim_")


@pytest.mark.parametrize("path", ["/", "/v1/complete", "/v1/messages/batches", "/v1/messages/"])
def test_other_paths_are_not_found(path):
    assert error_of(asks("POST", path, json=GOOD)) == (404, "not_found_error", "Not Found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/v1/messages", "POST"), ("DELETE", "/v1/models", "GET"), ("POST", "/v1/models/claude-opus-5-5", "GET")],
)
def test_other_methods_are_not_allowed(method, path, allow):
    reply = asks(method, path)
    assert error_of(reply) == (405, "invalid_request_error", "Method Not Allowed")
    assert reply[1]["allow"] == allow


@pytest.mark.parametrize("headers", [{"x-api-key": ""}, {"x-api-key": " ", "authorization": "Bearer "}])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/messages"), ("GET", "/v1/models")])
def test_no_key_is_unauthorized(headers, method, path):
    reply = asks(method, path, headers=headers, json=GOOD if method == "POST" else None)
    assert error_of(reply) == (401, "authentication_error", "x-api-key header is required")


def test_a_bearer_token_will_do():
    assert asks("POST", "/v1/messages", headers={"x-api-key": "", "authorization": "Bearer t"}, json=GOOD)[0] == 200


def test_the_version_header_is_required():
    reply = asks("POST", "/v1/messages", headers={"anthropic-version": ""}, json=GOOD)
    assert error_of(reply) == (400, "invalid_request_error", "anthropic-version: header is required")


def test_validation_errors_reach_the_client():
    reply = asks("POST", "/v1/messages", json={name: GOOD[name] for name in ("model", "messages")})
    assert error_of(reply) == (400, "invalid_request_error", "max_tokens: Field required")


def test_invalid_json():
    status, type_, message = error_of(asks("POST", "/v1/messages", data=b"{"))
    assert (status, type_) == (400, "invalid_request_error")
    assert message.startswith("The request body is not valid JSON: ")


@pytest.mark.parametrize("depth", [300, 900])
def test_deep_nesting_is_a_400(depth):
    schema = b'{"items":' * depth + b"{}" + b"}" * depth
    data = orjson.dumps(GOOD)[:-1] + b',"output_config":{"format":{"type":"json_schema","schema":' + schema + b"}}}"
    assert error_of(asks("POST", "/v1/messages", data=data)) == (
        400,
        "invalid_request_error",
        "The request body is nested too deeply",
    )


def test_a_body_over_32_mb_is_too_large():
    reply = asks("POST", "/v1/messages", data=io.BytesIO(orjson.dumps(says("x" * (32 * 1024 * 1024)))))
    assert error_of(reply) == (413, "request_too_large", "Request exceeds the maximum size")


def test_a_body_of_exactly_32_mb_is_accepted():
    frame = len(orjson.dumps(says("")))
    raw = orjson.dumps(says("x" * (32 * 1024 * 1024 - frame)))
    assert asks("POST", "/v1/messages", data=io.BytesIO(raw))[0] == 200


def test_models_are_paged():
    async def body(_simulator, session):
        ids, after, pages = [], None, 0
        while True:
            query = {"limit": "7"} | ({"after_id": after} if after else {})
            async with session.get("/v1/models", params=query) as reply:
                page = await reply.json()
            ids += [model["id"] for model in page["data"]]
            assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
            after, pages = page["last_id"], pages + 1
            if not page["has_more"]:
                return ids, pages

    ids, pages = with_simulator(body)
    assert pages == 4
    assert len(ids) == len(set(ids)) == 22
    assert "claude-opus-5-5" in ids


def test_models_before_an_id():
    page = asks("GET", "/v1/models?limit=2&before_id=claude-haiku-5-5")[2]
    assert [model["id"] for model in page["data"]] == ["claude-fable-5-2", "claude-mythos-5-2"]
    assert page["has_more"] is False


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("0", "limit: Input should be greater than or equal to 1"),
        ("1001", "limit: Input should be less than or equal to 1000"),
        ("x", "limit: Input should be a valid integer, unable to parse string as an integer"),
    ],
)
def test_a_wrong_limit(limit, message):
    assert error_of(asks("GET", f"/v1/models?limit={limit}")) == (400, "invalid_request_error", message)


def test_an_unknown_model_is_not_found():
    assert error_of(asks("GET", "/v1/models/gpt-9")) == (404, "not_found_error", "model: gpt-9")


def test_the_log_counts_and_keeps_the_last_entries():
    async def body(_simulator, session):
        for prompt in ("one", "two", "[[simulate:overloaded]]"):
            await session.post("/v1/messages", json=says(prompt))
        await session.post("/v1/messages", json={})
        await session.get("/v1/models")
        async with session.get("/simulator/log", headers={"x-api-key": ""}) as reply:
            return await reply.json()

    log = with_simulator(body, SimulatorConfig(log_size=3))
    assert (log["total"], log["messages"], log["in_flight"]) == (5, 4, 1)  # the log's own request is under way
    assert log["outcomes"] == {"completed": 3, "error": 2}
    assert log["statuses"] == {"200": 3, "529": 1, "400": 1}
    assert log["faults"] == {"overloaded": 1}
    assert [entry["ordinal"] for entry in log["entries"]] == [3, 4, None]
    overloaded = log["entries"][0]
    assert (overloaded["status"], overloaded["fault"], overloaded["error"]) == (529, "overloaded", "overloaded_error")
    assert (overloaded["input_tokens"], overloaded["output_tokens"]) == (0, 0)


def test_the_log_says_when_the_last_byte_of_a_reply_was_written():
    now = [100.0]

    async def sleep(seconds):
        now[0] += seconds

    async def body(simulator, session):
        await session.post("/v1/messages", json=says("[[simulate:slow=0.5]]"))
        return simulator.log.entries[-1]

    entry = with_simulator(body, SimulatorConfig(latency=0.25), clock=lambda: now[0], sleep=sleep)
    assert (entry.at, entry.ended) == (100.0, 100.75)


def test_the_log_is_read_from_an_ordinal_on_without_filling_it():
    async def body(_simulator, session):
        for prompt in ("one", "two", "three"):
            await session.post("/v1/messages", json=says(prompt))
        await session.get("/v1/models")
        for _ in range(5):
            await session.get("/simulator/log")
        async with session.get("/simulator/log?after=1") as after, session.get("/simulator/log?after=x") as all_:
            return await after.json(), await all_.json()

    after, everything = with_simulator(body, SimulatorConfig(log_size=4))
    assert [entry["ordinal"] for entry in after["entries"]] == [2, 3]
    assert [entry["ordinal"] for entry in everything["entries"]] == [1, 2, 3, None]
    assert len({entry["body_hash"] for entry in after["entries"]}) == 2


def test_the_log_tells_how_many_messages_are_being_answered():
    async def body(simulator, session):
        hanging = asyncio.ensure_future(session.post("/v1/messages", json=says("[[simulate:timeout]]")))
        await until(lambda: simulator.log.arrived == 1)
        async with session.get("/simulator/log") as reply:
            log = await reply.json()
        hanging.cancel()
        return log

    log = with_simulator(body)
    assert (log["arrived"], log["messages"], log["entries"]) == (1, 0, [])


def test_the_log_says_what_was_paid_and_holds_no_key():
    async def body(simulator, session):
        async with session.post("/v1/messages", json=GOOD, headers={"authorization": "Bearer secret-token"}) as reply:
            usage = (await reply.json())["usage"]
        (entry,) = simulator.log.entries
        assert (entry.input_tokens, entry.output_tokens) == (usage["input_tokens"], usage["output_tokens"])
        assert (entry.model, entry.stream, entry.stop_reason) == ("claude-opus-5-5", False, "end_turn")
        assert entry.request_id == reply.headers["request-id"]
        assert simulator.log.output_tokens == usage["output_tokens"]
        return orjson.dumps(simulator.log.to_json())

    log = with_simulator(body)
    assert b"secret-token" not in log
    assert b"Hello" not in log


def test_limits_reach_the_headers_and_the_log():
    config = SimulatorConfig(requests_per_minute=60, burst_requests=1)

    async def body(simulator, session):
        first = await session.post("/v1/messages", json=GOOD)
        second = await session.post("/v1/messages", json=GOOD)
        return first, second, simulator.log.entries[-1]

    first, second, entry = with_simulator(body, config, clock=lambda: 1_795_348_800.0)
    assert first.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert first.headers["anthropic-ratelimit-requests-reset"] == "2026-11-22T12:00:01Z"
    assert (second.status, second.headers["retry-after"]) == (429, "1")
    assert (entry.fault, entry.error, entry.outcome) == (None, "rate_limit_error", "error")


def test_latency_and_slow_replies_use_the_given_sleep():
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async def body(_simulator, session):
        await session.post("/v1/messages", json=GOOD)
        await session.post("/v1/messages", json=says("[[simulate:slow]]"))
        await session.post("/v1/messages", json=says("[[simulate:slow=0.5]]"))

    with_simulator(body, SimulatorConfig(latency=0.25, slow_seconds=4.0), sleep=sleep)
    assert slept == [0.25, 4.25, 0.75]


def broken(text, **change):
    """What a client sees of a faulted request, and the entry the log has for it."""

    async def body(simulator, session):
        raw = b""
        try:
            async with session.post("/v1/messages", json=says(text, **change)) as reply:
                async for chunk in reply.content.iter_any():
                    raw += chunk
            seen = "whole"
        except aiohttp.ClientError as error:
            seen = type(error).__name__
        return raw, seen, simulator.log.entries[-1]

    return with_simulator(body)


def test_dropped_closes_before_a_byte():
    raw, seen, entry = broken("[[simulate:dropped]]")
    assert (raw, seen) == (b"", "ServerDisconnectedError")
    assert (entry.status, entry.outcome, entry.output_tokens) == (None, "broken", 0)


def test_cut_body_promises_more_than_it_sends():
    raw, seen, entry = broken("[[simulate:cut_body]]")
    assert raw.startswith(b'{"id":"msg_sim_')
    assert seen == "ClientPayloadError"
    assert (entry.status, entry.outcome) == (200, "broken")
    assert entry.output_tokens > 0  # produced, so paid for


def test_dropped_stream_closes_in_the_middle():
    raw, seen, entry = broken("[[simulate:dropped_stream]]", stream=True)
    assert raw.startswith(b"event: message_start\n")
    assert (seen, entry.outcome) == ("ClientPayloadError", "broken")


def test_truncated_stream_ends_politely_without_message_stop():
    raw, seen, entry = broken("[[simulate:truncated_stream]]", stream=True)
    assert b"content_block_stop" in raw
    assert b"message_delta" not in raw
    assert b"message_stop" not in raw
    assert (seen, entry.outcome) == ("whole", "broken")


def test_stream_overload_is_an_error_event_in_a_200():
    raw, seen, entry = broken("[[simulate:stream_overload]]", stream=True)
    event = raw.decode().strip().split("\n\n")[-1]
    assert event.startswith("event: error\ndata: ")
    assert orjson.loads(event.partition("data: ")[2])["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert (seen, entry.status, entry.error, entry.outcome) == ("whole", 200, "overloaded_error", "error")
    assert entry.output_tokens == 0


def test_malformed_is_a_200_that_is_not_json():
    raw, seen, entry = broken("[[simulate:malformed]]")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(raw)
    assert (seen, entry.status, entry.fault, entry.outcome) == ("whole", 200, "malformed", "completed")


def test_refusal_is_a_200():
    raw, _, entry = broken("[[simulate:refusal]]")
    assert orjson.loads(raw)["stop_reason"] == "refusal"
    assert (entry.stop_reason, entry.outcome, entry.output_tokens) == ("refusal", "completed", 0)


def test_a_client_that_goes_away_is_logged_as_abandoned():
    async def body(simulator, session):
        asking = asyncio.create_task(session.post("/v1/messages", json=says("[[simulate:timeout]]")))
        await until(lambda: simulator.log.in_flight == 1)
        asking.cancel()
        await until(lambda: simulator.log.entries)
        return simulator.log.entries[0]

    entry = with_simulator(body)
    assert (entry.fault, entry.status, entry.outcome) == ("timeout", None, "abandoned")


def test_a_timeout_ends_with_the_simulator_s_patience():
    async def sleep(_seconds):
        return

    async def body(simulator, session):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post("/v1/messages", json=says("[[simulate:timeout]]"))
        return simulator.log.entries[0]

    assert with_simulator(body, sleep=sleep).outcome == "broken"


def test_stopping_is_quick_while_requests_hang():
    async def run():
        simulator = Simulator()
        await simulator.start()
        async with aiohttp.ClientSession(simulator.url, headers=HEADERS) as session:
            hanging = [
                asyncio.create_task(session.post("/v1/messages", json=says(f"{n} [[simulate:{kind}]]")))
                for n in range(3)
                for kind in ("timeout", "slow=3600")
            ]
            await until(lambda: simulator.log.in_flight == len(hanging))
            started = time.perf_counter()
            await simulator.stop()
            seconds = time.perf_counter() - started
            ends = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(end, aiohttp.ClientError) for end in ends)
        assert (simulator.log.in_flight, simulator.log.most_in_flight) == (0, 6)
        return seconds

    assert asyncio.run(run()) < 5  # 0.6 s by design; the bound only has to tell it from hanging


def test_stopping_twice_or_before_starting_is_fine():
    async def run():
        simulator = Simulator()
        await simulator.stop()
        await simulator.start()
        await simulator.stop()
        await simulator.stop()

    asyncio.run(run())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com", "::"])  # noqa: S104 - refused
def test_only_loopback_is_listened_on(host):
    with pytest.raises(SpecError, match="listens on loopback only"):
        asyncio.run(Simulator().start(host))


def test_a_taken_port_is_a_known_error():
    async def run():
        async with Simulator() as first:
            port = int(first.url.rpartition(":")[2])
            with pytest.raises(SpecError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
                await Simulator().start(port=port)

    asyncio.run(run())


def test_an_impossible_port_is_a_known_error():
    with pytest.raises(SpecError, match=r"cannot listen on 127\.0\.0\.1:70000"):
        asyncio.run(Simulator().start(port=70_000))


def test_serving_tells_its_url_and_answers_until_cancelled():
    async def run():
        ready = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(_serve(SimulatorConfig(), "127.0.0.1", 0, ready.set_result))
        url = await ready
        async with (
            aiohttp.ClientSession(headers=HEADERS) as session,
            session.post(f"{url}/v1/messages", json=GOOD) as r,
        ):
            status = r.status
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return status

    assert asyncio.run(run()) == 200


def test_serve_ends_at_ctrl_c_without_a_traceback():
    def interrupt(_url):
        raise KeyboardInterrupt

    serve(SimulatorConfig(), 0, on_ready=interrupt)


@pytest.mark.parametrize(
    ("id", "served"),
    [
        ("eu.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6"),
        ("us-gov.anthropic.claude-haiku-4-5-20251001-v1", "claude-haiku-4-5-20251001"),
        ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("amazon.nova-lite-v1:0", None),
    ],
)
def test_ids_of_bedrock_are_models_where_it_is_told_so(id, served):
    body = {**GOOD, "model": id}
    assert error_of(asks("POST", "/v1/messages", json=body))[:2] == (404, "not_found_error")
    status, _, reply = asks("POST", "/v1/messages", json=body, config=SimulatorConfig(bedrock_ids=True))
    assert (status, reply.get("model")) == ((200, served) if served else (404, None))


def test_a_fallback_has_an_id_of_bedrock_too():
    chain = [{"model": "eu.anthropic.claude-opus-4-8"}]
    body = {**says("[[simulate:refusal]]"), "model": "eu.anthropic.claude-opus-5-5", "fallbacks": chain}
    headers = {"anthropic-beta": "server-side-fallback-2026-07-01"}
    config = SimulatorConfig(bedrock_ids=True)
    status, _, reply = asks("POST", "/v1/messages", json=body, headers=headers, config=config)
    assert (status, reply["model"]) == (200, "claude-opus-4-8")
