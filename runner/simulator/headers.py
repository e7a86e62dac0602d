"""What every path checks of a request before its body: credentials, version, betas, and the `limit` of lists."""

from __future__ import annotations

from aiohttp import web

from runner.simulator.betas import read_betas
from runner.simulator.errors import Rejected, unauthorized
from runner.simulator.validate import check_version

MAX_PAGE = 1000


def check_credentials(request: web.BaseRequest) -> None:
    """Any non-empty key will do. https://platform.claude.com/docs/en/api/overview#authentication"""
    headers = request.headers
    bearer = headers.get("authorization", "")
    if headers.get("x-api-key", "").strip() or bearer.lower().removeprefix("bearer").strip():
        return
    raise unauthorized("x-api-key header is required")


def check_read(request: web.BaseRequest) -> None:
    """The headers of a request that has no JSON body."""
    check_credentials(request)
    check_version(request.headers.get("anthropic-version"))
    read_betas(request.headers.get("anthropic-beta"))


def page_size(limit: str | None) -> int:
    """`limit` of a list: 1 to 1000, 20 by default (https://platform.claude.com/docs/en/api/models-list)."""
    if limit is None:
        return 20
    if not (limit.isascii() and limit.isdigit()):
        raise Rejected("limit: Input should be a valid integer, unable to parse string as an integer")
    if not 1 <= int(limit) <= MAX_PAGE:
        side = f"greater than or equal to {1}" if int(limit) < 1 else f"less than or equal to {MAX_PAGE}"
        raise Rejected(f"limit: Input should be {side}")
    return int(limit)
