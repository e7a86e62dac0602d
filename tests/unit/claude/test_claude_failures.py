"""The taxonomy: what the API says went wrong, and what that ends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import error_body

from runner.claude.failures import failure_in_success, failure_of_response, parse_error
from runner.records import FAILURE_SCOPES


def failure(status, body=b"", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure_of_response(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, now=0.0)


INVALID, NOT_FOUND, LIMIT = "invalid_request_error", "not_found_error", "rate_limit_error"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error_body(INVALID, "max_tokens: Field required"), "invalid_request"),
        (400, error_body(INVALID, "This organization has been disabled.", "organization_on_hold"), "organization"),
        (400, error_body(INVALID, "This organization has been disabled."), "organization"),
        (400, error_body(INVALID, "You have reached your specified workspace API usage limits."), "spend_limit"),
        (400, error_body(INVALID, "Your credit balance is too low to access the Anthropic API."), "billing"),
        (400, error_body(INVALID, "prompt says: You have reached your specified"), "invalid_request"),
        (400, error_body(INVALID, "the key is disabled", "cmek_key_disabled"), "organization"),
        (400, error_body(INVALID, "clash", "tool_name_conflict"), "invalid_request"),
        (401, error_body("authentication_error", "invalid bearer token"), "authentication"),
        (402, error_body("billing_error", "payment required"), "billing"),
        (402, error_body("billing_error", "limit", "linked_organization_spend_limit_reached"), "spend_limit"),
        (403, error_body("permission_error", "not allowed to use this model"), "permission"),
        (403, error_body("billing_error", "billing"), "billing"),
        (404, error_body(NOT_FOUND, "model: claude-opus-9"), "model_not_found"),
        (404, error_body(NOT_FOUND, "File file_1 not found"), "invalid_request"),
        (404, error_body(NOT_FOUND, "the model's file expired", "file_expired"), "invalid_request"),
        (408, error_body("timeout_error", "too slow"), "timeout"),
        (409, error_body("conflict_error", "conflict"), "server_error"),
        (413, error_body("request_too_large", "32 MB"), "too_large"),
        (421, error_body(INVALID, "misdirected"), "server_error"),
        (422, error_body(INVALID, "unprocessable"), "invalid_request"),
        (425, error_body(INVALID, "too early"), "server_error"),
        (418, error_body("teapot_error", "short and stout"), "invalid_request"),
        (429, error_body(LIMIT, "slow down"), "rate_limited"),
        (429, error_body(LIMIT, "ramp", "ramp_limit_exceeded"), "rate_limited"),
        (429, error_body(LIMIT, "tier", "enforced_spend_limit_reached"), "spend_limit"),
        (429, error_body(LIMIT, "contract", "contract_spend_limit_reached"), "spend_limit"),
        (500, error_body("api_error", "Internal server error"), "server_error"),
        (500, error_body("overloaded_error", "Overloaded"), "overloaded"),
        (501, error_body("api_error", "not implemented"), "server_error"),
        (503, error_body("api_error", "unreachable", "cmek_key_unreachable"), "server_error"),
        (504, error_body("timeout_error", "too slow"), "timeout"),
        (529, error_body("overloaded_error", "Overloaded"), "overloaded"),
    ],
)
def test_the_apis_own_errors(status, body, kind):
    found = failure(status, body)
    assert (found.kind, found.http_status, found.message) == (kind, status, body["error"]["message"])
    assert found.maybe_billed is (kind == "timeout")
    assert found.request_id == "req_body"


@pytest.mark.parametrize(
    ("status", "kind", "billed"),
    [(302, "authentication", False), (308, "authentication", False), (400, "invalid_request", False),
     (401, "authentication", False), (402, "billing", False), (403, "invalid_request", False),
     (404, "authentication", False), (405, "authentication", False), (407, "authentication", False),
     (408, "timeout", True), (413, "too_large", False), (429, "rate_limited", False), (500, "server_error", True),
     (502, "server_error", True), (503, "server_error", True), (504, "timeout", True), (529, "overloaded", True)],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"", b"<html>Oops</html>", b'{"detail":"Not Found"}', b'{"error":"oops"}', b"[]"])
def test_answers_that_are_not_the_apis(status, kind, billed, body):
    found = failure(status, body)
    assert (found.kind, found.maybe_billed, found.error_type) == (kind, billed, None)
    assert str(status) in found.message


def test_a_code_is_told_before_the_type():
    assert failure(429, error_body(LIMIT, "x", "ramp_limit_exceeded")).error_type == "ramp_limit_exceeded"
    assert failure(429, error_body(LIMIT, "x")).error_type == LIMIT


def test_the_header_names_the_request_before_the_body_does():
    assert failure(500, error_body("api_error", "x"), request_id="req_header").request_id == "req_header"


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (302, {"location": "https://evil.example:8443/v1/messages?key=1"}, b""),
        (307, {"location": "/elsewhere"}, b""),
        (404, {}, b"<html><title>404</title><body>nothing here</body></html>"),
        (502, {}, b"<html><style>x{}</style><h1>502 Bad Gateway</h1></html>"),
        (403, {}, b""),
    ],
    ids=["redirect", "redirect-path", "not-the-api", "proxy", "empty"],
)
def test_what_a_person_reads(status, headers, body, snapshot):
    assert failure_of_response(status, headers, body, now=0).message == snapshot


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
errors = st.fixed_dictionaries(
    {}, optional={"type": json_values, "message": json_values, "details": json_values, "error_code": json_values}
)


@given(
    status=st.integers(300, 999),
    headers=st.dictionaries(st.sampled_from(["retry-after", "location", "request-id", "x-other"]), st.text()),
    body=st.binary() | json_values.map(lambda v: json.dumps(v).encode())
    | errors.map(lambda e: json.dumps({"error": e}).encode()),
)  # fmt: skip
def test_whatever_a_server_says_is_one_failure_of_one_line(status, headers, body):
    found = failure_of_response(status, headers, body, now=0.0)
    assert found.kind in FAILURE_SCOPES
    assert len(found.message.splitlines()) <= 1
    assert len(found.message) <= 500
    assert found.retry_after is None or found.retry_after >= 0


@given(st.none() | json_values)
def test_parsing_never_raises(value):
    parse_error(value)


def test_an_error_in_a_stream_is_billed_only_once_the_reply_had_begun():
    error = parse_error(error_body("not_found_error", "model: x"))
    assert error
    early = failure_in_success(error, status=200, headers={}, begun=False)
    assert (early.kind, early.maybe_billed) == ("model_not_found", False)
    assert failure_in_success(error, status=200, headers={}, begun=True).maybe_billed
