"""A successful response → `Reply`, or the failure it turns out to be. Pure; imports neither SDK nor HTTP library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from runner.claude.failures import failure_in_success, parse_error
from runner.claude.headers import is_simulated, kept_headers
from runner.claude.wording import excerpt, one_line
from runner.records import Failure, Json, Outcome, Reply


def outcome_of_body(status: int, headers: Mapping[str, str], body: bytes, *, secrets: Iterable[str] = ()) -> Outcome:
    """What a 2xx body says: a message, an error in disguise, or nothing we know (`malformed_reply`)."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        what = f"the reply (HTTP {status}) is not JSON: {excerpt(body)}"
        return malformed(one_line(what, secrets=secrets), status=status, headers=headers)
    error = parse_error(value)
    if error is not None:
        return failure_in_success(error, status=status, headers=headers, begun=False, secrets=secrets)
    return outcome_of_message(value, status=status, headers=headers)


def outcome_of_message(value: Json, *, status: int, headers: Mapping[str, str]) -> Outcome:
    """A Reply when the value is a finished Message, else `malformed_reply`.

    `stop_reason` is never null in a finished one (https://platform.claude.com/docs/en/api/messages).
    """
    wrong = what_is_wrong(value)
    if wrong:
        return malformed(f"the reply (HTTP {status}) is not a message: {wrong}", status=status, headers=headers)
    kept = kept_headers(headers)
    return Reply(
        message=value,
        http_status=status,
        request_id=kept.get("request-id"),
        headers=kept,
        simulated=is_simulated(kept),
    )


def what_is_wrong(value: Json) -> str | None:
    if not isinstance(value, dict) or value.get("type") != "message":
        return "`type` is not `message`"
    content = value.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return "`content` is not a list of blocks"
    if not isinstance(value.get("stop_reason"), str):
        return "it has no `stop_reason`"
    return None if isinstance(value.get("usage"), dict | None) else "`usage` is not a map"


def malformed(message: str, *, status: int, headers: Mapping[str, str]) -> Failure:
    """A 2xx nobody can read may have been an answer, and then it was billed."""
    return Failure(
        kind="malformed_reply",
        message=message,
        http_status=status,
        request_id=headers.get("request-id"),
        maybe_billed=True,
        headers=kept_headers(headers),
    )
