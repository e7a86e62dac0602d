"""The two questions that cost nothing: how many tokens a request has, and what a model can do. One attempt each.

Same client, same failures as a request's; nothing asked here is ever billed. Decides nothing about the answers.
https://platform.claude.com/docs/en/build-with-claude/token-counting, https://platform.claude.com/docs/en/api/models
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import httpx2
import orjson

from runner.claude.client import Client, http_timeout, options_of
from runner.claude.credentials import forget_token
from runner.claude.replies import malformed
from runner.claude.secrets import secret_values, with_secrets
from runner.claude.transport import failure_of_exception
from runner.claude.within import Within
from runner.records import Failure, Json, Request

NOT_OFFERED: Final = frozenset({404, 405, 410, 501})
"""What a server says that has no such endpoint: asking again brings nothing, and requests may work all the same."""


async def count_tokens(client: Client, request: Request) -> int | Failure:
    """The input tokens of a request. Its body holds only what counting takes (`prompts.counting.countable`)."""
    options = options_of(request, request.timeout or client.timeout)
    body = with_secrets(request.body, request.secrets, client.tokens)
    path = "/v1/messages/count_tokens?beta=true" if request.betas else "/v1/messages/count_tokens"

    async def ask() -> Any:
        return await client.sdk.post(path, content=body, cast_to=httpx2.Response, options=options)

    told = await _answer(client, ask, hidden=secret_values(request, client.tokens))
    if isinstance(told, Failure):
        return told
    tokens = told.get("input_tokens")
    return tokens if type(tokens) is int else Failure("malformed_reply", "counting tokens: the reply has no count")


async def retrieve_model(client: Client, model: str) -> Mapping[str, Json] | Failure:
    """What the Models API says of a model, as JSON; a Failure of kind `model_not_found` when it knows none.

    Asked as the SDK's beta resource asks, which tells the models that may take over too.
    """
    path = f"/v1/models/{quote(model, safe='')}?beta=true"

    async def ask() -> Any:
        return await client.sdk.get(path, cast_to=httpx2.Response, options={"timeout": http_timeout(client.timeout)})

    return await _answer(client, ask)


async def _answer(
    client: Client, ask: Callable[[], Awaitable[Any]], hidden: tuple[str, ...] = ()
) -> dict[str, Json] | Failure:
    """The JSON object of a reply; once more after a 401 that may be due to a token revoked before its time."""
    told = await _attempt(client, ask, hidden)
    rejected = isinstance(told, Failure) and told.http_status == 401
    return await _attempt(client, ask, hidden) if rejected and forget_token(client.sdk) else told


async def _attempt(
    client: Client, ask: Callable[[], Awaitable[Any]], hidden: tuple[str, ...]
) -> dict[str, Json] | Failure:
    try:
        async with Within(client.timeout.total):
            response = await ask()
    except TimeoutError:
        return Failure("timeout", f"no whole answer within {client.timeout.total:g} s")
    except Exception as error:
        failure = failure_of_exception(error, now=time.time(), secrets=(*client.secrets, *hidden))
        kind = "invalid_request" if failure.http_status in NOT_OFFERED and not _no_model(failure) else failure.kind
        return replace(failure, maybe_billed=False, kind=kind)
    return _object(response)


def _no_model(failure: Failure) -> bool:
    return failure.http_status == 404 and failure.kind == "model_not_found"


def _object(response: Any) -> dict[str, Json] | Failure:
    try:
        value = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        return value
    what = f"the reply (HTTP {response.status_code}) is not a JSON object"
    return replace(malformed(what, status=response.status_code, headers=response.headers), maybe_billed=False)
