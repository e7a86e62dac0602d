"""Fallbacks: sent by default where a model can decline, on the service that takes them, and without another key."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from request_key import request_key

from runner.prompts.build import RequestBuilder
from runner.records import Request, Row
from runner.spec.job import JobSpec

MakeJob = Callable[..., JobSpec]
MakeRow = Callable[..., Row]
BETA = "server-side-fallback-2026-07-01"


@pytest.fixture
def built(make_job: MakeJob, make_row: MakeRow) -> Callable[..., Request]:
    """The one request of these fields, with `fallbacks` as a spec without the key has it."""

    def build(service: str = "anthropic", **fields: Any) -> Request:
        base = {"model": "claude-opus-5-5", "max_tokens": 100, "prompt": "Hello.", "fallbacks": "auto"}
        builder = RequestBuilder(make_job({**base, **fields}), service=service)
        (request,) = builder.requests([make_row(m="claude-fable-5")])
        assert request.problem is None, request.problem
        return request

    return build


def sent(request: Request) -> Any:
    return json.loads(request.body).get("fallbacks")


@pytest.mark.parametrize(
    ("model", "fallbacks"),
    [
        ("claude-opus-5-5", "default"),
        ("claude-fable-5-1-20260901", "default"),
        ("{{ row.m }}", "default"),
        ("claude-opus-4-8", None),
        ("claude-mythos-5", None),
        ("a-model-of-tomorrow", None),
    ],
)
def test_the_default_goes_by_the_model(built: Callable[..., Request], model: str, fallbacks: str | None) -> None:
    request = built(model=model)
    assert sent(request) == fallbacks
    assert request.betas == ((BETA,) if fallbacks else ())


def test_another_server_gets_them_only_when_asked(built: Callable[..., Request]) -> None:
    other = "anthropic https://proxy.example"
    assert (sent(built(other)), built(other).betas) == (None, ())
    assert (sent(built(other, fallbacks="default")), built(other, fallbacks="default").betas) == ("default", (BETA,))


def test_a_default_that_would_do_nothing_is_not_sent(built: Callable[..., Request]) -> None:
    """The API runs such a request on its model alone."""
    older = built(model="claude-opus-4-8", fallbacks="default")
    assert (sent(older), older.betas) == (None, ())
    assert sent(built(model="a-model-of-tomorrow", fallbacks="default")) == "default"


@pytest.mark.parametrize(
    "beside", [{"extra_body": {"fallback_credit_token": "t"}}, {"betas": ["server-side-fallback-2026-06-01"]}]
)
def test_what_stands_against_the_default(built: Callable[..., Request], beside: dict[str, Any]) -> None:
    assert sent(built(**beside)) is None


def test_the_default_is_the_same_question_as_before_and_off_is_another(built: Callable[..., Request]) -> None:
    silent, default, off = built(), built(fallbacks="default"), built(fallbacks="off")
    assert (sent(silent), sent(default), sent(off)) == ("default", "default", None)
    elsewhere = built(model="claude-opus-4-8")
    assert silent.key == default.key == request_key("anthropic", (), json.loads(off.body), 0)
    assert off.key != default.key
    assert built(model="claude-opus-4-8", fallbacks="off").key == elsewhere.key


def test_a_named_fallback_is_part_of_the_question(built: Callable[..., Request]) -> None:
    keys = {built(fallbacks=[{"model": name}]).key for name in ("claude-opus-4-8", "claude-opus-5")}
    assert len(keys | {built().key}) == 3
