"""What the API says went wrong → `Failure`: by status, `error.type` and `error_code`, never by exception class.

Pure functions over status, headers and body; imports neither the SDK nor an HTTP library.
Sources: https://platform.claude.com/docs/en/api/errors and the error codes of SDK 2.12.0 (`_error_classes.py`).

What is ours to choose:
- An answer that does not come from the API although it should (404 or 405 without the API's error body, a redirect)
  ends the run as `authentication`: there is no endpoint here that takes our credential, and nothing else would change
  that but the settings of whoever runs the job. The message speaks of the base URL.
- A 403 that is not the API's is a firewall's opinion of one body: the request fails, the lane goes on.
- A 404 that is not about the model (a file id, a container) fails its request only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from runner.claude.headers import kept_headers, retry_after_seconds
from runner.claude.origin import origin_of_url
from runner.claude.wording import excerpt, one_line
from runner.records import Failure, FailureKind, Json

BY_CODE: Mapping[str, FailureKind] = {
    "enforced_spend_limit_reached": "spend_limit",
    "contract_spend_limit_reached": "spend_limit",
    "linked_organization_spend_limit_reached": "spend_limit",
    "organization_on_hold": "organization",
    "cmek_key_disabled": "organization",
    "cmek_key_network_blocked": "organization",
}
"""Codes that mean something else than their status. Others are read as the bare type, as the SDK advises."""

BY_MESSAGE: tuple[tuple[str, FailureKind], ...] = (
    ("You have reached your specified", "spend_limit"),
    ("Your credit balance is too low", "billing"),
    ("This organization has been disabled", "organization"),
)
"""400s without a code of their own that are about the account, by how their message begins."""

BY_TYPE: Mapping[str, FailureKind] = {
    "invalid_request_error": "invalid_request",
    "request_too_large": "too_large",
    "authentication_error": "authentication",
    "billing_error": "billing",
    "permission_error": "permission",
    "not_found_error": "model_not_found",
    "rate_limit_error": "rate_limited",
    "timeout_error": "timeout",
    "conflict_error": "server_error",
    "api_error": "server_error",
    "overloaded_error": "overloaded",
}

BY_STATUS: Mapping[int, FailureKind] = {
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "model_not_found",
    407: "authentication",
    408: "timeout",
    409: "server_error",
    413: "too_large",
    421: "server_error",
    425: "server_error",
    429: "rate_limited",
    504: "timeout",
    529: "overloaded",
}

AMAZON_LOGINS = frozenset(
    {"ExpiredTokenException", "InvalidSignatureException", "MissingAuthenticationTokenException",
     "IncompleteSignatureException", "UnrecognizedClientException"}
)  # fmt: skip
"""What AWS says with a 403 when it is not about the model but about who asks."""

NO_ENDPOINT = frozenset({404, 405, 410})
CHECK_BASE_URL = "check ANTHROPIC_BASE_URL (and the profile's base_url)"


@dataclass(frozen=True, slots=True)
class ApiError:
    """The `error` object of an API error body. code: `error.details.error_code`."""

    type: str
    message: str
    code: str | None = None
    request_id: str | None = None


def parse_error(body: Json) -> ApiError | None:
    """The error in a decoded body; None when this is not how the API says that something went wrong."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("type"), str):
        return None
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    request_id = body.get("request_id")
    return ApiError(
        type=error["type"],
        message=error["message"] if isinstance(error.get("message"), str) else error["type"],
        code=code if isinstance(code, str) else None,
        request_id=request_id if isinstance(request_id, str) else None,
    )


def provider_error(headers: Mapping[str, str], body: Json) -> ApiError | None:
    """The error in a body of Amazon Bedrock or Google Cloud, which have shapes of their own.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html (its name is in a header),
    https://cloud.google.com/apis/design/errors (`error.status`).
    """
    if not isinstance(body, dict):
        return None
    amazon = headers.get("x-amzn-errortype", "").partition(":")[0]
    if amazon and isinstance(body.get("message"), str):
        kind = "authentication_error" if amazon in AMAZON_LOGINS else amazon
        return ApiError(kind, f"{body['message']} ({amazon})", request_id=headers.get("x-amzn-requestid"))
    error = body.get("error")
    if isinstance(error, dict) and isinstance(error.get("status"), str) and isinstance(error.get("message"), str):
        return ApiError(error["status"], f"{error['message']} ({error['status']})")
    return None


def failure_of_response(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float, secrets: Iterable[str] = ()
) -> Failure:
    """The failure behind a response that is no success. now: Unix time, for `retry-after` dates."""
    try:
        told = orjson.loads(body)
        error = parse_error(told) or provider_error(headers, told)
    except orjson.JSONDecodeError:
        error = None
    kind = kind_of(status, error)
    return Failure(
        kind=kind,
        message=one_line(error.message if error else foreign_message(status, headers, body, secrets), secrets=secrets),
        http_status=status,
        error_type=(error.code or error.type) if error else None,
        retry_after=retry_after_seconds(headers, now=now),
        request_id=headers.get("request-id") or (error.request_id if error else None),
        maybe_billed=outcome_unknown(status, kind, error),
        headers=kept_headers(headers),
    )


def failure_in_success(
    error: ApiError, *, status: int, headers: Mapping[str, str], begun: bool, secrets: Iterable[str] = ()
) -> Failure:
    """The failure behind an error that came with a 200: an SSE `error` event. begun: after `message_start`."""
    return Failure(
        kind=kind_of(status, error),
        message=one_line(error.message, secrets=secrets),
        http_status=status,
        error_type=error.code or error.type,
        request_id=headers.get("request-id") or error.request_id,
        maybe_billed=begun,
        headers=kept_headers(headers),
    )


def kind_of(status: int, error: ApiError | None) -> FailureKind:
    """The kind of a failure by what the API said, or by the status alone when something else answered."""
    if error is None:
        return kind_of_foreign(status)
    if error.code is not None and error.code in BY_CODE:
        return BY_CODE[error.code]
    if error.type in ("authentication_error", "billing_error", "overloaded_error"):
        return BY_TYPE[error.type]
    if status == 400:
        return next((kind for start, kind in BY_MESSAGE if error.message.startswith(start)), "invalid_request")
    kind = BY_TYPE.get(error.type, "server_error") if status < 300 else kind_of_status(status)
    return "invalid_request" if kind == "model_not_found" and not about_model(error) else kind


def kind_of_status(status: int) -> FailureKind:
    return BY_STATUS.get(status, "server_error" if status >= 500 else "invalid_request")


def kind_of_foreign(status: int) -> FailureKind:
    """What an answer means that did not come from the API (see the module's docstring)."""
    if status in NO_ENDPOINT or status < 400:
        return "authentication"
    return "invalid_request" if status == 403 else kind_of_status(status)


def about_model(error: ApiError) -> bool:
    return error.code is None and "model" in error.message.lower()


def outcome_unknown(status: int, kind: FailureKind, error: ApiError | None) -> bool:
    """A gateway gave up on, or lost, a request that may still be answered; the API's own errors are not billed."""
    return kind == "timeout" or (status >= 500 and error is None)


def foreign_message(status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> str:
    """What to say of an answer that is not the API's."""
    if 300 <= status < 400:
        target = origin_of_url(headers.get("location", "")) or "another path"
        return f"the server redirects to {target} (HTTP {status}); redirects are not followed: {CHECK_BASE_URL}"
    if status in NO_ENDPOINT:
        return f"no Claude API at this address (HTTP {status}, {excerpt(body, secrets=secrets)}): {CHECK_BASE_URL}"
    return f"HTTP {status} from something between here and the API: {excerpt(body, secrets=secrets)}"
