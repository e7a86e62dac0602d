"""Who may decide where requests go: nobody but this machine and the person who runs the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.claude.origin import service_of
from runner.errors import SpecError
from runner.models.providers import PROVIDERS
from runner.spec.client import is_loopback
from runner.spec.job import ClientSpec, JobSpec
from runner.spec.load import LoadOptions, load_job


def load(tmp_path: Path, client: str, *hosts: str, env: dict[str, str] | None = None) -> JobSpec:
    spec = tmp_path / "job.yaml"
    spec.write_text(f"model: claude-opus-5-5\nprompt: hi\nclient: {client}\n", encoding="utf-8")
    return load_job(spec, LoadOptions(allow_hosts=hosts), env=env or {})


def rules(tmp_path: Path, client: str, *hosts: str, env: dict[str, str] | None = None) -> list[str]:
    try:
        load(tmp_path, client, *hosts, env=env)
    except SpecError as error:
        return [problem.rule for problem in error.problems]
    return []


GATEWAY = '{base_url: "https://Gateway.example.com/v1"}'


def test_another_host_counts_only_when_the_person_who_runs_it_allows_it(tmp_path: Path) -> None:
    assert rules(tmp_path, GATEWAY) == ["client-host"]
    assert rules(tmp_path, GATEWAY, "example.com") == ["client-host"]
    assert rules(tmp_path, GATEWAY, "gateway.example.com") == []
    assert rules(tmp_path, GATEWAY, env={"PROMPTRUN_ALLOW_HOSTS": "a.example, GATEWAY.example.com"}) == []


def test_plain_http_beyond_this_machine_is_refused_though_the_host_is_allowed(tmp_path: Path) -> None:
    assert rules(tmp_path, '{base_url: "http://gateway.example.com"}', "gateway.example.com") == ["client-host"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.1"])
def test_this_machine_always_counts(tmp_path: Path, host: str) -> None:
    assert rules(tmp_path, f'{{base_url: "http://{host}:8080", headers: {{x-team: a}}}}') == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1.example.com", "localhost.example.com", "2130706433", "0x7f.1", "::", "localhost."]
)
def test_what_only_looks_like_this_machine_does_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1@evil.example/", "https://evil.example\\\\@127.0.0.1/", "https://127.0.0.1:x/",
        "//127.0.0.1/", "ftp://127.0.0.1/", "https://", "https://127.0.0.1#@evil.example", "https://127.0.0.1/ x",
    ],
)  # fmt: skip
def test_a_crooked_address_is_refused(tmp_path: Path, url: str) -> None:
    assert rules(tmp_path, f'{{base_url: "{url}"}}', "evil.example") == ["client-setting"]


def test_headers_go_where_the_environment_sends_requests(tmp_path: Path) -> None:
    headers = "{headers: {x-team: support}}"
    assert rules(tmp_path, headers) == ["client-host"]
    assert rules(tmp_path, headers, "api.anthropic.com") == []
    assert rules(tmp_path, headers, env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}) == []
    assert rules(tmp_path, headers, "api.anthropic.com", env={"ANTHROPIC_BASE_URL": "https://a.example"}) == [
        "client-host"
    ]


def test_a_secret_header_names_a_variable_only(tmp_path: Path) -> None:
    job = load(tmp_path, '{base_url: "http://127.0.0.1:9", headers: {x-api-key: {env: GATEWAY_KEY}}}')
    assert job.client.header_variables == {"x-api-key": "GATEWAY_KEY"}
    assert rules(tmp_path, '{base_url: "http://127.0.0.1:9", headers: {x-api-key: abc}}') == ["client-setting"]


@pytest.mark.parametrize("value", ["eu/../x", "evil.example:443", "evil.example#", "a b", "a@b", "?", ".."])
def test_a_setting_cannot_change_the_address_it_becomes_part_of(tmp_path: Path, value: str) -> None:
    assert rules(tmp_path, f'{{provider: bedrock, aws_region: "{value}"}}') == ["client-setting"]


def test_every_setting_of_every_provider_is_in_the_schema(tmp_path: Path) -> None:
    for provider in PROVIDERS.values():
        settings = "".join(f", {name}: some" for name in provider.settings)
        job = load(tmp_path, f"{{provider: {provider.name}{settings}}}")
        assert job.client == ClientSpec(provider.name, dict.fromkeys(provider.settings, "some"))


def test_the_service_of_a_key_is_the_provider_and_an_origin_that_is_not_its_own() -> None:
    assert service_of(ClientSpec(), "anthropic https://a.example", {}) == "anthropic https://a.example"
    assert service_of(ClientSpec("bedrock"), "anthropic", {"ANTHROPIC_BASE_URL": "https://a.example"}) == "bedrock"
    redirected = {"ANTHROPIC_BEDROCK_BASE_URL": "https://a.example/x"}
    assert service_of(ClientSpec("bedrock"), "anthropic", redirected) == "bedrock https://a.example"
    assert service_of(ClientSpec(base_url="http://127.0.0.1:9"), "anthropic", {}) == "anthropic http://127.0.0.1:9"
    assert service_of(ClientSpec(base_url="https://api.anthropic.com"), "anthropic", {}) == "anthropic"
