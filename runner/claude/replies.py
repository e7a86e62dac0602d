"""A successful response → `Reply`, or the failure it turns out to be. Pure; imports neither SDK nor HTTP library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runner.claude.decoding import json_of, loose_json, whole
from runner.claude.failures import failure_in_success, parse_error
from runner.claude.headers import is_simulated, kept_headers
from runner.claude.streaming import StreamedMessage, says_error, written_events
from runner.claude.wording import excerpt
from runner.records import Failure, Json, Outcome, Reply


def outcome_of_body(status: int, headers: Mapping[str, str], body: bytes, *, secrets: Iterable[str] = ()) -> Outcome:
    """What a 2xx body says: a message, an error in disguise, or nothing we know (`malformed_reply`)."""
    try:
        value = json_of(body)
    except ValueError:
        told = outcome_of_events(status, headers, body, secrets=secrets)
        what = f"the reply (HTTP {status}) is not JSON: {excerpt(body, secrets=secrets)}"
        return told or malformed(what, status=status, headers=headers)
    error = parse_error(value)
    if error is not None:
        return failure_in_success(error, status=status, headers=headers, begun=False, secrets=secrets)
    if not isinstance(value, dict) or value.get("type") != "message":
        what = f"the reply (HTTP {status}) is not a message: {excerpt(body, secrets=secrets)}"
        return malformed(what, status=status, headers=headers)
    return outcome_of_message(value, status=status, headers=headers)


def outcome_of_events(
    status: int, headers: Mapping[str, str], body: bytes, *, secrets: Iterable[str] = ()
) -> Outcome | None:
    """What a body says that is a whole event stream; some gateways stream unasked, or under another content type.

    None for any other body, and for a stream without an end.
    """
    growing = StreamedMessage()
    try:
        for data in written_events(body.decode("utf-8", "replace")):
            event = loose_json(data)
            error = parse_error(event) if says_error(event) else None
            if error is not None:
                begun = growing.message is not None
                return failure_in_success(error, status=status, headers=headers, begun=begun, secrets=secrets)
            growing.add(event)
            if growing.finished:
                return outcome_of_message(whole(growing.message), status=status, headers=headers)
    except ValueError:
        pass
    return None


def outcome_of_message(value: Json, *, status: int, headers: Mapping[str, str]) -> Outcome:
    """A Reply when the value is a Message, else `malformed_reply`.

    The API's own always says why it stopped (https://platform.claude.com/docs/en/api/messages); one that does not is
    a reply of no known ending.
    """
    wrong = what_is_wrong(value)
    if wrong:
        return malformed(f"the reply (HTTP {status}) is not a message: {wrong}", status=status, headers=headers)
    kept = kept_headers(headers)
    return Reply(
        message=fitted(value),
        http_status=status,
        request_id=kept.get("request-id"),
        headers=kept,
        simulated=is_simulated(kept),
    )


def fitted(message: dict[str, Any]) -> dict[str, Any]:
    """The message without what is of another type than the API's, where somebody goes by it: it is paid for anyway."""
    fits = dict(message)
    for name in ("model", "stop_reason"):
        if not isinstance(message.get(name), str | None):
            fits[name] = None
    if not isinstance(message.get("stop_details"), dict | None):
        fits["stop_details"] = None
    if any(not are_maps(block.get("citations")) for block in message["content"]):
        blocks: list[dict[str, Any]] = message["content"]
        fits["content"] = [
            block if are_maps(block.get("citations")) else {**block, "citations": None} for block in blocks
        ]
    usage = message.get("usage") or {}
    if not are_maps(usage.get("iterations"), named="model"):
        fits["usage"] = {name: value for name, value in usage.items() if name != "iterations"}
    return fits


def are_maps(value: Json, *, named: str = "") -> bool:
    """Whether it is missing, or a list of maps, whose field `named` is a text if there is one."""
    maps = value is None or (isinstance(value, list) and all(isinstance(entry, dict) for entry in value))
    return maps and all(isinstance(entry.get(named), str | None) for entry in value or ())


def what_is_wrong(value: Json) -> str | None:
    if not isinstance(value, dict) or value.get("type") != "message":
        return "`type` is not `message`"
    content = value.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return "`content` is not a list of blocks"
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
