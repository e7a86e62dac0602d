"""Where requests go, as it stands in every key."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.claude.origin import origin_of, origin_of_url, service_of
from runner.errors import SpecError
from runner.models.providers import PROVIDERS
from runner.spec.job import ClientSpec


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("https://api.anthropic.com", None),
        ("https://API.anthropic.com:443/v1/", None),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080/some/path", "http://127.0.0.1:8080"),
        ("https://Gateway.Example:8443/v1", "https://gateway.example:8443"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_the_origin_without_secrets_path_and_default_port(written, origin):
    assert origin_of({} if written is None else {"ANTHROPIC_BASE_URL": written}) == origin


@pytest.mark.parametrize("written", ["localhost:8000", "ftp://x", "https://", "http://[bad", "http://x:99999", "x"])
def test_what_is_no_url_is_an_error_that_does_not_repeat_it(written, snapshot):
    with pytest.raises(SpecError) as caught:
        origin_of({"ANTHROPIC_BASE_URL": written})
    assert str(caught.value) == snapshot(name="no-url")


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("https://user:hunter2@gateway.example/v1", "holds a user name or password"),
        ("http://user@127.0.0.1:8080", "holds a user name or password"),
        ("http://api.anthropic.com", "leads to another machine without encryption"),
        ("http://10.0.0.7:8080/v1", "leads to another machine without encryption"),
        ("http://localhost.example.com", "leads to another machine without encryption"),
        ("https://gateway.example/v1?key=hunter2", "holds more than a host and a path"),
        ("http://127.0.0.1:8080/#hunter2", "holds more than a host and a path"),
    ],
)
@pytest.mark.parametrize("provider", ["anthropic", "foundry", "bedrock"])
def test_a_credential_goes_nowhere_in_the_open(written, what, provider):
    variable = PROVIDERS[provider].base_url_variable
    env = {variable: written}
    with pytest.raises(SpecError) as caught:
        origin_of(env) if provider == "anthropic" else service_of(ClientSpec(provider), "anthropic", env)
    (problem,) = caught.value.problems
    assert (problem.what, caught.value.exit_code) == (f"`{variable}` {what}", 2)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "allowed"),
    [({}, ["gateway"]), ({}, ["other", "GATEWAY"]), ({"PROMPTRUN_ALLOW_HOSTS": "other, gateway"}, [])],
)
def test_plain_http_goes_to_a_host_that_somebody_allows(env, allowed):
    written = "http://Gateway:8080/v1"
    assert origin_of({**env, "ANTHROPIC_BASE_URL": written}, allowed) == "http://gateway:8080"
    env = {**env, PROVIDERS["foundry"].base_url_variable: written}
    assert service_of(ClientSpec("foundry"), "anthropic", env, allowed) == "foundry http://gateway:8080"


def test_the_step_names_the_host_to_allow():
    with pytest.raises(SpecError, match="add `--allow-host gateway`"):
        origin_of({"ANTHROPIC_BASE_URL": "http://gateway:8080"}, ["other"])


@given(st.text())
def test_any_text_has_an_origin_or_none(text):
    origin = origin_of_url(text)
    assert origin is None or "@" not in origin


def test_asking_for_the_origin_does_not_import_the_sdk():
    code = (
        "import sys, runner.claude.origin, runner.claude.failures, runner.claude.streaming, runner.claude.replies;"
        "sys.exit(bool({'anthropic', 'httpx2', 'aiohttp', 'asyncio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
