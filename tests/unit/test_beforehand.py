"""Questions before a run, over a socket to the simulator: counts that come out right, and models that say no."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import contextmanager
from datetime import date

import pytest

from runner.beforehand import Asking, ask_models, count_input
from runner.errors import AccountError, SpecError, TryLater
from runner.planning import PlanOptions, plan_job
from runner.prompts.plan_cost import Known, plan_cost
from runner.simulator import Simulator, SimulatorConfig
from runner.simulator.tokens import input_tokens

SYSTEM = "Answer in one word, and be kind about it. " * 400
KEY = {"ANTHROPIC_API_KEY": "any"}


@contextmanager
def planned(folder, spec, rows=()):
    path = folder / "job.yaml"
    if rows:
        (folder / "rows.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
        spec += "inputs: {file: rows.txt}\n"
    path.write_text(spec, encoding="utf-8")
    with plan_job(path, PlanOptions(), env={}, stdin=io.BytesIO()) as one:
        yield one


@contextmanager
def environment(monkeypatch, **values):
    """The SDK reads the process's environment itself."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    yield dict(values)


def with_simulator(question, monkeypatch, config=None):
    """(what the question brought, the simulator's log)."""

    async def run():
        async with Simulator(config or SimulatorConfig(latency=0)) as simulator:
            with environment(monkeypatch, ANTHROPIC_BASE_URL=simulator.url, **KEY) as env:
                answer = await question(Asking(env, today=date(2026, 11, 22)))
            return answer, [(entry.method, entry.path, entry.status) for entry in simulator.log.entries]

    return asyncio.run(run())


def test_a_shared_prefix_is_counted_once_and_the_rest_on_a_sample(tmp_path, monkeypatch):
    spec = f"model: claude-opus-5-5\nmax_tokens: 50\nsystem: {SYSTEM!r}\nprompt: '{{{{ text }}}}'\n"
    rows = [f"word {n} " * (1 + n % 7) for n in range(300)]
    with planned(tmp_path, spec, rows) as one:
        counted, log = with_simulator(lambda asking: count_input(one, asking), monkeypatch)
        truth = _simulated_tokens(one)
        told = counted["claude-opus-5-5"]
        sizes = plan_cost(one.ledger, one.job, Known(counted=counted)).models[0].sizes
    assert log == [("POST", "/v1/messages/count_tokens", 200)] * (20 + 1 + 1)
    assert told.counted == 20
    assert abs(told.tokens - truth) <= max(told.margin, 1)
    assert 0 < told.margin < truth * 0.01
    assert sizes.written == pytest.approx(len(SYSTEM) / 4, rel=0.02)
    assert sizes.read == pytest.approx(299 * sizes.written)


def test_a_small_plan_is_counted_whole(tmp_path, monkeypatch):
    spec = "prompt: '{{ text }}'\nmax_tokens: 50\nmatrix: {model: [claude-opus-5-5, claude-haiku-5-5]}\n"
    with planned(tmp_path, spec, ["one", "two two", "one"]) as one:
        counted, log = with_simulator(lambda asking: count_input(one, asking), monkeypatch)
        truth = _simulated_tokens(one)
    assert sum(told.tokens for told in counted.values()) == truth
    assert [(told.margin, told.counted) for told in counted.values()] == [(0.0, 2), (0.0, 2)]
    assert len(log) == 2 * (2 + 1)


def _simulated_tokens(one):
    """Of all that would be sent, by the simulator's own arithmetic."""
    sent = [request for request in one.requests() if one.ledger.first_of(request.n) is None]
    return sum(input_tokens(json.loads(request.body)) for request in sent)


def test_nothing_is_asked_without_credentials(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with planned(tmp_path, "model: claude-opus-5-5\nprompt: Hi.\n") as one, environment(monkeypatch) as env:
        for question in (count_input, ask_models):
            with pytest.raises(AccountError, match="no credentials"):
                asyncio.run(question(one, Asking(env)))


def test_a_simulator_of_its_own_needs_none(tmp_path, monkeypatch):
    with planned(tmp_path, "model: claude-opus-5-5\nprompt: Hi.\n") as one, environment(monkeypatch) as env:
        counted = asyncio.run(count_input(one, Asking(env, simulate=True)))
        assert asyncio.run(ask_models(one, Asking(env, simulate=True))) == []
    assert counted["claude-opus-5-5"].tokens > 0


@pytest.mark.parametrize(("question", "flag"), [(count_input, "--count-tokens"), (ask_models, "--online")])
def test_a_provider_without_an_answer_is_not_asked(question, flag, tmp_path, monkeypatch):
    spec = "model: anthropic.claude-opus-5-5\nfallbacks: off\nprompt: Hi.\nclient: {provider: bedrock, aws_region: x}\n"
    refused = pytest.raises(SpecError, match="Amazon Bedrock cannot be asked")
    with planned(tmp_path, spec) as one, environment(monkeypatch) as env, refused as caught:
        asyncio.run(question(one, Asking(env)))
    assert flag in str(caught.value)


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"])
@pytest.mark.parametrize(("question", "flag"), [(count_input, "--count-tokens"), (ask_models, "--online")])
def test_a_server_without_the_endpoint_is_asked_once_and_named(question, flag, status, tmp_path, monkeypatch):
    """Exit code 2: another try brings nothing, and requests may work all the same."""
    asked = []

    async def answer(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 9\r\nconnection: close\r\n\r\nnot here!".encode())
        await writer.drain()
        writer.close()

    async def run(one):
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = "http://{}:{}".format(*server.sockets[0].getsockname())
            with environment(monkeypatch, ANTHROPIC_BASE_URL=url, **KEY) as env:
                await question(one, Asking(env))

    with planned(tmp_path, "model: claude-opus-5-5\nprompt: Hi.\n") as one, pytest.raises(SpecError) as caught:
        asyncio.run(run(one))
    (problem,) = caught.value.problems
    assert (problem.rule, caught.value.exit_code) == ("not-offered", 2)
    assert "the server cannot be asked for" in problem.what
    assert f"HTTP {status[:3]}" in problem.what
    assert flag in problem.next
    assert len(asked) <= 2, "a row and what it is compared with, and nothing twice"


def test_models_are_asked_once_each_and_say_what_does_not_work(tmp_path, monkeypatch):
    spec = (
        "prompt: Hi.\nmatrix:\n  model: [claude-sonnet-4-5, claude-opus-5-5, claude-of-tomorrow]\n"
        "  style: [short, long]\nvars: {style: x}\nsystem: '{{ style }}'\n"
    )
    with planned(tmp_path, spec) as one:
        problems, log = with_simulator(lambda asking: ask_models(one, asking), monkeypatch)
    assert sorted(path for _, path, _ in log) == [
        "/v1/models/claude-of-tomorrow",
        "/v1/models/claude-opus-5-5",
        "/v1/models/claude-sonnet-4-5",
    ]
    assert [(one.rule, one.severity, str(one.where)) for one in problems] == [
        ("model-retires", "warning", "job.yaml:3:11"),
        ("unknown-model", "error", "job.yaml:3:47"),
    ]
    assert "retires on 2026-11-30" in problems[0].what


def test_an_account_that_is_refused_is_the_owner_s_to_mend(tmp_path, monkeypatch):
    error = _refused(tmp_path, monkeypatch, 401, "authentication_error", AccountError)
    assert error.problems[0].next == "The API does not accept the credentials: check `ANTHROPIC_API_KEY`."


def test_a_request_that_cannot_be_counted_is_the_author_s(tmp_path, monkeypatch):
    error = _refused(tmp_path, monkeypatch, 400, "invalid_request_error", SpecError)
    assert "counting row `1`" in str(error)


def test_an_api_that_is_not_there_may_be_there_later(tmp_path, monkeypatch):
    _refused(tmp_path, monkeypatch, 529, "overloaded_error", TryLater)


def _refused(folder, monkeypatch, status, kind, expected):
    """What counting raises when the API answers everything with this."""
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "no"}}).encode()
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}"

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async def run():
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with environment(monkeypatch, ANTHROPIC_BASE_URL=url, **KEY) as env:
                await count_input(one, Asking(env))

    spec = "model: claude-opus-5-5\nprompt: Hi.\nrun: {retry: {max: 0}}\n"
    with planned(folder, spec) as one, pytest.raises(expected) as caught:
        asyncio.run(run())
    return caught.value
