"""Where requests go, as it stands in every key."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.claude.origin import origin_of, origin_of_url
from runner.errors import SpecError


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("https://api.anthropic.com", None),
        ("https://API.anthropic.com:443/v1/", None),
        ("http://api.anthropic.com", "http://api.anthropic.com"),
        ("http://127.0.0.1:8080/some/path?x=1", "http://127.0.0.1:8080"),
        ("https://user:hunter2@Gateway.Example:8443/v1", "https://gateway.example:8443"),
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
