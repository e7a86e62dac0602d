"""The API's error bodies, and the exception that carries one through validation.

Shapes: https://platform.claude.com/docs/en/api/errors and `types/shared` of SDK 2.12.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

REQUEST_LIMIT_BYTES = 32 * 1024 * 1024
"""A Messages body's largest size (https://platform.claude.com/docs/en/api/errors#request-size-limits)."""


class Rejected(Exception):
    """The request gets this error instead of an answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        error_code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.error_code = error_code
        self.headers = headers or {}

    def body(self, request_id: str) -> bytes:
        """`{"type": "error", "error": {"type", "message", "details"?}, "request_id"}` as JSON."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.error_code:
            error["details"] = {"error_code": self.error_code}
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


def unauthorized(message: str = "invalid x-api-key") -> Rejected:
    return Rejected(message, status=401, type="authentication_error")


def not_found(message: str = "Not Found") -> Rejected:
    return Rejected(message, status=404, type="not_found_error")


def method_not_allowed(allowed: str) -> Rejected:
    """A guess at the body: the API's 405 is documented nowhere."""
    return Rejected("Method Not Allowed", status=405, headers={"allow": allowed})


def too_large() -> Rejected:
    """The type is documented, the wording a guess."""
    return Rejected("Request exceeds the maximum size", status=413, type="request_too_large")
