"""The SDK's own way to send a request, for providers that rewrite bodies and for fallbacks that it carries out.

Bedrock and Vertex need the body as a map; and where the server knows no `fallbacks`, the SDK's middleware asks the next
model when one declines. It does so for `client.beta.messages` only, so requests go out as that resource's do. Nothing
of a body is read as a file or changed in value. A state of its own for each attempt: one refusal pins no other request.
https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback; SDK 2.12.0, `lib/middleware/_fallbacks.py`
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx2
import orjson
from anthropic import AsyncStream, BetaFallbackState, BetaRefusalFallbackMiddleware, RequestOptions
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent

from runner.records import Json, Outcome, Reply, Request

SERVER_SIDE: Final = "server-side-fallback-"
_WRAPPED: Final = {"X-Stainless-Raw-Response": "raw"}
"""Has `post` give the whole response, as `with_raw_response` does (SDK 2.12.0, `_constants.py`)."""

_hops: ContextVar[list[Json] | None] = ContextVar("promptrun_hops", default=None)


@dataclass(frozen=True)
class TypedPath:
    """Sends as `client.beta.messages` does. always: whether every request goes this way, or only those that fall back.

    binary: whether replies are streamed as AWS's frames.
    """

    sdk: Any
    always: bool
    binary: bool = False
    chains: dict[bytes, Any] = field(default_factory=dict)

    def takes(self, request: Request) -> bool:
        return self.always or falls_back(request)

    def can_stream(self, request: Request) -> bool:
        """The SDK's middleware reads events only, so on Bedrock a request that may fall back is not streamed."""
        return not (self.binary and falls_back(request))

    async def plain(self, body: bytes, options: RequestOptions, hops: list[Json]) -> httpx2.Response:
        """The last answer; `hops` gets every answer on the way to it, and itself. Raises what the SDK raises."""
        token = _hops.set(hops)
        try:
            with BetaFallbackState():
                return await self._post(body, options, stream=False)
        finally:
            _hops.reset(token)

    async def streamed(self, body: bytes, options: RequestOptions) -> tuple[httpx2.Response, AsyncIterator[Any]]:
        """(the open response, its events): one message, however many models write it."""
        with BetaFallbackState():
            response = await self._post(body, options, stream=True)
        events: AsyncIterator[Any] = self.sdk._make_sse_decoder().aiter_bytes(response.aiter_bytes())
        return response, events

    async def _post(self, body: bytes, options: RequestOptions, *, stream: bool) -> httpx2.Response:
        tree = orjson.loads(memoryview(body))  # a body with a token in it is a subclass of bytes
        chain = tree.pop("fallbacks", None)
        hide_tokens(tree)
        # `qualifiers` marks a request of the beta resource; the middleware looks at no other.
        changed: Any = {**options, "headers": _headers(options), "qualifiers": {"beta": "true"}}
        response: Any = await self._client(chain).post(
            "/v1/messages",
            body=tree,
            cast_to=BetaMessage,
            options=changed,
            stream=stream,
            stream_cls=AsyncStream[BetaRawMessageStreamEvent],
        )
        raw: httpx2.Response = response.http_response
        if not stream:
            await raw.aread()
        return raw

    def _client(self, chain: Sequence[Mapping[str, Json]] | None) -> Any:
        """The client that asks these models in turn; the recorder comes after the middleware, so it sees every hop."""
        if not chain:
            return self.sdk
        key = orjson.dumps(chain)
        if key not in self.chains:
            entries: Any = list(chain)
            self.chains[key] = self.sdk.with_middleware(BetaRefusalFallbackMiddleware(entries), _record)
        return self.chains[key]


class UnshownText(str):
    """Text that no log shows: with `ANTHROPIC_LOG=debug` the SDK logs every body it sends."""

    def __repr__(self) -> str:
        return "'***'"

    __str__ = __repr__


def hide_tokens(tree: Mapping[str, Json]) -> None:
    """The tokens of MCP servers, which stand in the body by now."""
    for server in tree.get("mcp_servers") or ():
        if isinstance(server.get("authorization_token"), str):
            server["authorization_token"] = UnshownText(server["authorization_token"])


def falls_back(request: Request) -> bool:
    """Whether other models are asked when its own declines; the beta and the field go together."""
    return any(beta.startswith(SERVER_SIDE) for beta in request.betas)


async def _record(request: Any, call_next: Any) -> Any:
    """Middleware that keeps each hop's message, whose usage the next hop's would replace."""
    response = await call_next(request)
    hops = _hops.get()
    if hops is not None and not request.stream and response.http_response.is_success:
        try:
            hops.append(orjson.loads(await response.http_response.aread()))
        except orjson.JSONDecodeError:
            hops.append({})
    return response


def _headers(options: RequestOptions) -> dict[str, Any]:
    """The headers without the beta that asks the server for what the middleware does here."""
    headers: dict[str, Any] = {**(options.get("headers") or {}), **_WRAPPED}
    betas = [beta for beta in headers.pop("anthropic-beta", "").split(",") if beta and not beta.startswith(SERVER_SIDE)]
    return {**headers, "anthropic-beta": ",".join(betas)} if betas else headers


def with_hops(outcome: Outcome, hops: Sequence[Json]) -> Outcome:
    """The reply with the usage of every hop, in the shape the Claude API has for its own fallbacks.

    A failure after a hop that was answered may have been billed.
    """
    if not isinstance(outcome, Reply):
        return replace(outcome, maybe_billed=True) if hops else outcome
    if len(hops) < 2 or not all(isinstance(hop.get("usage"), Mapping) for hop in hops):
        return outcome
    kinds = ["message"] * (len(hops) - 1) + ["fallback_message"]
    spent = [{**hop["usage"], "type": kind, "model": hop.get("model")} for kind, hop in zip(kinds, hops, strict=True)]
    usage = {**(outcome.message.get("usage") or {}), "iterations": spent}
    return replace(outcome, message={**outcome.message, "usage": usage})
