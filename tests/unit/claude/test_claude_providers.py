"""Every provider over a real socket: a plain request, a streamed one, and fallbacks that really ask the next model."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from provider_server import ProviderServer, provider
from scripted_server import a_request

from runner.claude.client import Client, open_client
from runner.claude.failures import failure_of_response
from runner.claude.providers import entra_login, require_extra
from runner.errors import AccountError, SpecError
from runner.models.providers import PROVIDERS
from runner.records import SECRET, Failure, Outcome, Reply, Request, Timeout
from runner.spec.job import ClientSpec

FIRST, SECOND, THIRD = "claude-opus-5-5", "claude-opus-4-8", "claude-opus-4-6"
PATHS = {
    "anthropic": "/v1/messages",
    "bedrock": f"/model/{FIRST}/invoke",
    "vertex": f"/projects/my-project/locations/europe-west1/publishers/anthropic/models/{FIRST}:rawPredict",
    "foundry": "/v1/messages",
    "aws": "/v1/messages",
    "google-cloud": "/v1/messages",
}
SETTINGS = {
    "anthropic": {},
    "bedrock": {"aws_region": "eu-central-1"},
    "vertex": {"region": "europe-west1"},
    "foundry": {},
    "aws": {"aws_region": "eu-central-1", "workspace_id": "wrkspc_1"},
    "google-cloud": {"location": "global", "workspace_id": "wrkspc_1"},
}
OTHERS = [name for name in PROVIDERS if name != "anthropic"]


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No login of this machine is found, and nothing outside it is asked for one."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_BEARER_TOKEN_BEDROCK", "CLOUD_ML_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "AWS_ACCESS_KEY_ID", "AZURE_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))


@pytest.fixture(scope="session")
def private_key() -> str:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@pytest.fixture
def log_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str, str], None]:
    """Puts a made-up login of a provider where its own chain looks. url: of the server that gives tokens."""

    def put(name: str, url: str) -> None:
        for module in PROVIDERS[name].modules:
            pytest.importorskip(module)
        if name in ("bedrock", "aws"):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "not-a-key-id")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        elif name in ("vertex", "google-cloud"):
            account = {
                "type": "service_account", "project_id": "my-project", "client_email": "a@example.com",
                "private_key": request.getfixturevalue("private_key"), "token_uri": f"{url}/token",
            }  # fmt: skip
            (tmp_path / "account.json").write_text(json.dumps(account), encoding="utf-8")
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
        else:
            monkeypatch.setenv("ANTHROPIC_FOUNDRY_API_KEY" if name == "foundry" else "ANTHROPIC_API_KEY", "not-a-key")

    return put


LogIn = Callable[[str, str], None]


def asked(
    name: str, log_in: LogIn, send: Callable[[Client], Awaitable[Any]], *refusing: str, stream: Any = "auto"
) -> tuple[Any, ProviderServer]:
    """What `send` gets from a server in the provider's place, and that server."""

    async def run() -> tuple[Any, ProviderServer]:
        async with provider(*refusing) as server:
            log_in(name, server.url)
            how = ClientSpec(name, SETTINGS[name], base_url=server.url)
            async with open_client(timeout=Timeout(), stream=stream, concurrency=2, env={}, client=how) as client:
                return await send(client), server

    return asyncio.run(run())


def a_reply(outcome: Outcome) -> Reply:
    assert isinstance(outcome, Reply), outcome
    return outcome


def with_fallbacks(*models: str) -> Request:
    body = {"model": FIRST, "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    body["fallbacks"] = [{"model": model} for model in models]
    return a_request(body=json.dumps(body).encode(), betas=("server-side-fallback-2026-07-01",))


# ---------------------------------------------------------------- plain requests


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_plain_request_is_answered(name: str, log_in: LogIn) -> None:
    request = replace(a_request(), betas=("context-management-2025-06-27",))
    outcome, server = asked(name, log_in, lambda client: client.send(request))
    assert a_reply(outcome).message["content"] == [{"type": "text", "text": f"I am {FIRST}"}]
    assert [one.path for one in server.asked] == [PATHS[name]]
    sent = server.asked[0]
    assert sent.body["messages"] == [{"role": "user", "content": "hi"}]
    said = [*sent.body.get("anthropic_beta", []), sent.headers.get("anthropic-beta", "")]
    assert "context-management-2025-06-27" in said


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_streamed_request_is_answered(name: str, log_in: LogIn) -> None:
    outcome, server = asked(name, log_in, lambda client: client.send(a_request()), stream=True)
    assert a_reply(outcome).message["content"] == [{"type": "text", "text": f"I am {FIRST}"}]
    assert "tream" in server.asked[0].path or server.asked[0].body["stream"] is True


def test_each_provider_signs_with_its_own_login(log_in: LogIn) -> None:
    signed = {}
    for name in PROVIDERS:
        _, server = asked(name, log_in, lambda client: client.send(a_request()))
        headers = server.asked[0].headers
        signed[name] = re.split(r"[ =]", headers.get("authorization", headers.get("api-key", "")))[:2]
    assert signed == {
        "anthropic": ["Bearer", "not-a-key"],
        "bedrock": ["AWS4-HMAC-SHA256", "Credential"],
        "vertex": ["Bearer", "google-token"],
        "foundry": ["not-a-key"],
        "aws": ["AWS4-HMAC-SHA256", "Credential"],
        "google-cloud": ["Bearer", "google-token"],
    }


# ---------------------------------------------------------------- fallbacks


@pytest.mark.parametrize("stream", ["auto", True])
@pytest.mark.parametrize("name", OTHERS)
def test_a_declined_request_goes_to_the_next_model(name: str, stream: Any, log_in: LogIn) -> None:
    request = with_fallbacks(SECOND, THIRD)
    outcome, server = asked(name, log_in, lambda client: client.send(request), FIRST, SECOND, stream=stream)
    message = a_reply(outcome).message
    assert [one.model for one in server.asked] == [FIRST, SECOND, THIRD]
    assert all("fallbacks" not in one.body for one in server.asked)
    assert not any("server-side" in str((one.headers, one.body)) for one in server.asked)
    seams = [(block["from"]["model"], block["to"]["model"]) for block in message["content"][:-1]]
    assert seams == [(FIRST, SECOND), (SECOND, THIRD)]
    assert message["content"][-1]["text"] == f"I am {THIRD}"
    assert (message["model"], message["stop_reason"]) == (THIRD, "end_turn")
    spent = [(entry["type"], entry["model"], entry["output_tokens"]) for entry in message["usage"]["iterations"]]
    assert spent == [("message", FIRST, 0), ("message", SECOND, 0), ("fallback_message", THIRD, 3)]


@pytest.mark.parametrize("name", OTHERS)
def test_one_refusal_pins_no_other_request(name: str, log_in: LogIn) -> None:
    async def twice(client: Client) -> list[Outcome]:
        return [await client.send(with_fallbacks(SECOND)) for _ in range(2)]

    _, server = asked(name, log_in, twice, FIRST)
    assert [one.model for one in server.asked] == [FIRST, SECOND, FIRST, SECOND]


def test_a_chain_that_declines_to_its_end_is_a_refusal(log_in: LogIn) -> None:
    outcome, _ = asked("bedrock", log_in, lambda client: client.send(with_fallbacks(SECOND)), FIRST, SECOND)
    assert a_reply(outcome).message["stop_reason"] == "refusal"


# ---------------------------------------------------------------- what is missing


@pytest.mark.parametrize("name", OTHERS)
def test_no_credentials_end_the_job_before_anything_is_sent(name: str) -> None:
    for module in PROVIDERS[name].modules:
        pytest.importorskip(module)
    with pytest.raises(AccountError, match="there are no usable credentials for"):
        asked(name, lambda name, url: None, lambda client: client.send(a_request()))


def test_foundry_without_credentials_says_what_to_set() -> None:
    with pytest.raises(AccountError) as caught:
        asked("foundry", lambda name, url: None, lambda client: client.send(a_request()))
    (problem,) = caught.value.problems
    assert problem.what == "there are no usable credentials for Microsoft Foundry"
    assert "ANTHROPIC_FOUNDRY_API_KEY" in problem.next
    assert "az login" in problem.next


def test_foundry_takes_a_token_of_entra_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def log_in(name: str, url: str) -> None:
        monkeypatch.setenv("AZURE_ACCESS_TOKEN", "an-entra-token\n")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not-for-foundry")

    outcome, server = asked("foundry", log_in, lambda client: client.send(a_request()))
    assert a_reply(outcome)
    (one,) = server.asked
    assert one.headers["authorization"] == "Bearer an-entra-token"
    assert "not-for-foundry" not in str(one.headers)


class Identity:
    """Stands for `azure.identity`: a login that works, or one that is not there."""

    def __init__(self, *, works: bool) -> None:
        self.works = works
        self.given = 0
        self.scopes: list[str] = []

    class DefaultAzureCredential:
        """What Azure finds on this machine."""

    def get_bearer_token_provider(self, credential: object, scope: str) -> Callable[[], str]:
        assert isinstance(credential, Identity.DefaultAzureCredential)
        self.scopes.append(scope)

        def token() -> str:
            if not self.works:
                raise RuntimeError("DefaultAzureCredential failed to retrieve a token")
            self.given += 1
            return f"token-{self.given}"

        return token


def test_azure_s_own_chain_gives_and_renews_the_token() -> None:
    identity = Identity(works=True)
    token = entra_login(identity, PROVIDERS["foundry"])["azure_ad_token_provider"]
    assert [asyncio.run(token()), asyncio.run(token())] == ["token-2", "token-3"]
    assert identity.scopes == ["https://ai.azure.com/.default"]


def test_an_azure_login_that_fails_ends_the_job_before_anything_is_sent() -> None:
    with pytest.raises(AccountError, match="failed to retrieve a token"):
        entra_login(Identity(works=False), PROVIDERS["foundry"])


@pytest.mark.parametrize("name", ["bedrock", "vertex", "foundry", "aws"])
def test_a_missing_setting_is_said(name: str, log_in: LogIn) -> None:
    async def run() -> None:
        async with provider() as server:
            log_in(name, server.url)
            how = ClientSpec(name)
            async with open_client(timeout=Timeout(), stream="auto", concurrency=1, env={}, client=how):
                pass

    with pytest.raises(SpecError, match=f"{PROVIDERS[name].title} cannot be asked"):
        asyncio.run(run())


@pytest.mark.parametrize("name", ["bedrock", "vertex", "aws", "google-cloud"])
def test_a_missing_extra_says_what_to_install(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        require_extra(PROVIDERS[name], lambda module: False)
    assert caught.value.problems[0].next == f"Install it: pip install 'promptrun[{name}]'"
    assert caught.value.problems[0].what.endswith("`, which are not installed")


def test_one_missing_module_is_one() -> None:
    with pytest.raises(SpecError, match="needs `boto3`, which is not installed"):
        require_extra(PROVIDERS["bedrock"], lambda module: module != "boto3")


# ---------------------------------------------------------------- what providers say when it goes wrong


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "ValidationException", "invalid_request"),
        (403, "AccessDeniedException", "permission"),
        (403, "ExpiredTokenException", "authentication"),
        (403, "UnrecognizedClientException:http://internal.amazon.com/", "authentication"),
        (404, "ResourceNotFoundException", "model_not_found"),
        (408, "ModelTimeoutException", "timeout"),
        (429, "ThrottlingException", "rate_limited"),
        (503, "ServiceUnavailableException", "server_error"),
    ],
)
def test_errors_of_amazon_are_told_apart(status: int, name: str, kind: str) -> None:
    headers = {"x-amzn-errortype": name, "x-amzn-requestid": "r-1"}
    failure = failure_of_response(status, headers, b'{"message":"the model says no"}', now=0)
    assert (failure.kind, failure.request_id) == (kind, "r-1")
    assert failure.message == f"the model says no ({name.partition(':')[0]})"


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "INVALID_ARGUMENT", "invalid_request"),
        (401, "UNAUTHENTICATED", "authentication"),
        (403, "PERMISSION_DENIED", "permission"),
        (404, "NOT_FOUND", "model_not_found"),
        (429, "RESOURCE_EXHAUSTED", "rate_limited"),
        (503, "UNAVAILABLE", "server_error"),
    ],
)
def test_errors_of_google_are_told_apart(status: int, name: str, kind: str) -> None:
    body = json.dumps({"error": {"code": status, "message": "the model says no", "status": name}}).encode()
    failure = failure_of_response(status, {}, body, now=0)
    assert (failure.kind, failure.message) == (kind, f"the model says no ({name})")


# ---------------------------------------------------------------- addresses and headers


def test_headers_go_out_and_a_secret_in_them_into_no_message(log_in: LogIn) -> None:
    async def run() -> tuple[Outcome, ProviderServer]:
        async with provider() as server:
            log_in("anthropic", server.url)
            how = ClientSpec(
                base_url=server.url, headers={"x-team": "support"}, header_variables={"x-gateway-token": "TOKEN"}
            )
            env = {"TOKEN": "gateway-secret"}
            async with open_client(timeout=Timeout(), stream="auto", concurrency=1, env=env, client=how) as client:
                assert "gateway-secret" in client.secrets
                return await client.send(a_request()), server

    outcome, server = asyncio.run(run())
    assert isinstance(outcome, Reply)
    assert server.asked[0].headers["x-team"] == "support"
    assert server.asked[0].headers["x-gateway-token"] == "gateway-secret"


def test_requests_go_through_the_proxy(log_in: LogIn) -> None:
    async def run() -> tuple[Outcome, ProviderServer]:
        async with provider() as server:
            log_in("anthropic", server.url)
            how = ClientSpec(base_url="http://127.0.0.1:1", proxy=server.url)
            async with open_client(timeout=Timeout(), stream="auto", concurrency=1, env={}, client=how) as client:
                return await client.send(a_request()), server

    outcome, server = asyncio.run(run())
    assert isinstance(outcome, Reply)
    assert [one.path for one in server.asked] == ["http://127.0.0.1:1/v1/messages"]


def test_a_debug_log_holds_no_credential(log_in: LogIn, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        asked("anthropic", log_in, lambda client: client.send(a_request()))
        asked("vertex", log_in, lambda client: client.send(a_request()))
    assert "not-a-key" not in caplog.text
    assert "google-token" not in caplog.text


@pytest.mark.parametrize("name", OTHERS)
def test_a_debug_log_holds_no_token_of_an_mcp_server(
    name: str, log_in: LogIn, caplog: pytest.LogCaptureFixture
) -> None:
    request = with_fallbacks(SECOND)
    servers = [{"name": "orders", "url": "https://a.example", "authorization_token": SECRET}]
    body = json.dumps({**json.loads(request.body), "mcp_servers": servers}).encode()
    request = replace(request, body=body, secrets={"orders": "ORDERS_TOKEN"})

    async def send(client: Client) -> Outcome:
        return await replace(client, tokens={"ORDERS_TOKEN": "swordfish"}).send(request)

    with caplog.at_level(logging.DEBUG):
        outcome, server = asked(name, log_in, send, FIRST)
    a_reply(outcome)
    assert [one.body["mcp_servers"][0]["authorization_token"] for one in server.asked] == ["swordfish"] * 2
    assert "Request options" in caplog.text
    assert "swordfish" not in caplog.text


def test_a_failure_after_a_hop_that_answered_may_be_billed() -> None:
    from runner.claude.typed import with_hops

    failure = Failure("server_error", "no")
    assert with_hops(failure, [{}]) == replace(failure, maybe_billed=True)
    assert with_hops(failure, []) is failure
