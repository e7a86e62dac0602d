"""Parameters as they are sent: unrendered where they are no templates, tokens nowhere, headers beside the body."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runner.prompts.build import RequestBuilder
from runner.prompts.params import headers_of, params_of, secrets_of
from runner.records import Request, Row
from runner.spec.job import JobSpec

BASE = {"model": "claude-opus-4-8", "max_tokens": 100, "prompt": "Hello."}
ORDERS = {"type": "url", "name": "orders", "url": "https://a.example", "authorization_token": {"env": "TOKEN"}}
OPEN = {"type": "url", "name": "open", "url": "https://b.example"}


def only(job: JobSpec, row: Row) -> Request:
    (request,) = RequestBuilder(job, service="anthropic").requests([row])
    assert request.problem is None, request.problem
    return request


def test_a_token_is_a_placeholder_and_its_variable_is_named_beside_the_body() -> None:
    fields = {"mcp_servers": [ORDERS, OPEN]}
    assert params_of(fields) == {"mcp_servers": [{**ORDERS, "authorization_token": "***"}, OPEN]}
    assert secrets_of(fields) == {"orders": "TOKEN"}
    assert ORDERS["authorization_token"] == {"env": "TOKEN"}


def test_another_variable_is_the_same_question(make_job: Callable[..., JobSpec], make_row: Callable[..., Row]) -> None:
    def asked(variable: str) -> Request:
        server = {**ORDERS, "authorization_token": {"env": variable}}
        return only(make_job({**BASE, "mcp_servers": [server]}), make_row())

    one, other = asked("TOKEN"), asked("OTHER")
    assert (one.key, one.body) == (other.key, other.body)
    assert (one.secrets, other.secrets) == ({"orders": "TOKEN"}, {"orders": "OTHER"})


def test_headers_are_no_part_of_the_body_or_the_key(
    make_job: Callable[..., JobSpec], make_row: Callable[..., Row]
) -> None:
    fields = {"user_profile_id": "uprof_{{ who }}", "workspace_id": "wrkspc_1"}
    request, plain = only(make_job({**BASE, **fields}), make_row(who="a")), only(make_job(BASE), make_row(who="a"))
    assert request.headers == {"anthropic-user-profile-id": "uprof_a", "anthropic-workspace-id": "wrkspc_1"}
    assert (request.body, request.key, plain.headers) == (plain.body, plain.key, {})
    assert headers_of({}) == {}


def test_a_rendered_parameter_is_checked(make_job: Callable[..., JobSpec], make_row: Callable[..., Row]) -> None:
    builder = RequestBuilder(make_job({**BASE, "speed": "{{ row.speed }}"}), service="anthropic")
    good, bad = builder.requests([make_row(1, speed="fast"), make_row(2, speed="slow")])
    assert json.loads(good.body)["speed"] == "fast"
    assert bad.problem is not None
    assert bad.problem.rule == "wrong-value"


def test_a_row_may_name_fallbacks_and_they_are_normalised(
    make_job: Callable[..., JobSpec], make_row: Callable[..., Row]
) -> None:
    fields: dict[str, Any] = {**BASE, "model": "claude-fable-5", "fallbacks": "auto"}
    patch = {"model": "claude-opus-4-8", "effort": "low"}
    own = only(make_job(fields), make_row(1, overrides={"fallbacks": ["claude-opus-5", patch]}))
    assert json.loads(own.body)["fallbacks"] == [
        {"model": "claude-opus-5"},
        {"model": "claude-opus-4-8", "output_config": {"effort": "low"}},
    ]
    written = only(make_job({**fields, "fallbacks": "{{ row.names }}"}), make_row(2, names=["claude-opus-5"]))
    assert json.loads(written.body)["fallbacks"] == [{"model": "claude-opus-5"}]
