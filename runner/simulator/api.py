"""One HTTP exchange: which path, which checks, which answer, and what the log says of it.

The order of the checks is a guess: path, method, credentials, version, size, JSON, fields, limits, then faults.
Only `wire` writes to the socket; only `server` opens one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from runner.simulator import faults, messages, validate
from runner.simulator.catalog import find_model, model_info, page
from runner.simulator.config import SimulatorConfig
from runner.simulator.errors import (
    REQUEST_LIMIT_BYTES,
    Rejected,
    method_not_allowed,
    not_found,
    too_large,
    unauthorized,
)
from runner.simulator.limits import Limits
from runner.simulator.log import SHOWN_HEADERS, Entry, RequestLog
from runner.simulator.markers import number
from runner.simulator.tokens import input_tokens
from runner.simulator.wire import Wire

MAX_PAGE = 1000
Route = Callable[[Wire], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


class Api:
    """Answers requests. clock: seconds since 1970. stopping: set when hanging requests must end."""

    def __init__(
        self, config: SimulatorConfig, log: RequestLog, clock: Callable[[], float], sleep: Sleep, rng: random.Random
    ) -> None:
        self.config = config
        self.log = log
        self.stopping = asyncio.Event()
        self._clock = clock
        self._sleep = sleep
        self._limits = Limits(config, clock)
        self._faults = faults.FaultPlan(config)
        self._session = f"{rng.getrandbits(48):012x}"
        self._routes: dict[str, tuple[str, Route]] = {
            "/v1/messages": ("POST", self._messages),
            "/v1/messages/count_tokens": ("POST", self._count_tokens),
            "/v1/models": ("GET", self._models),
            "/v1/models/": ("GET", self._model),
            "/simulator/log": ("GET", self._log),
        }
        self._requests = 0
        self._ordinal = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The handler of every request; logs each exactly once, when its last byte was written or could not be."""
        wire = Wire(request, self._entry(request))
        self.log.begin()
        try:
            await self._answer(wire)
        except ConnectionError:
            wire.entry.outcome = "abandoned"
        finally:
            self.log.add(wire.entry)
        return wire.response or web.Response()

    def _entry(self, request: web.BaseRequest) -> Entry:
        self._requests += 1
        headers = request.headers
        shown = {name: headers[name] for name in SHOWN_HEADERS if name in headers}
        request_id = f"req_sim_{self._session}{self._requests:08x}"
        return Entry(request.method, request.path, self._clock(), request_id, headers=shown)

    async def _answer(self, wire: Wire) -> None:
        try:
            await self._route(wire)(wire)
        except Rejected as rejected:
            await wire.error(rejected)
        except (RecursionError, orjson.JSONEncodeError):
            await wire.error(Rejected("The request body is nested too deeply"))

    def _route(self, wire: Wire) -> Route:
        path, method = wire.entry.path, wire.entry.method
        if path.startswith("/v1/models/"):
            path = "/v1/models/"
        if path not in self._routes:
            raise not_found()
        allowed, route = self._routes[path]
        if method != allowed:
            raise method_not_allowed(allowed)
        return route

    async def _body(self, wire: Wire) -> tuple[dict[str, Any], str, bool]:
        """The parsed body, the API version, and whether there was a beta header."""
        raw = await wire.read(REQUEST_LIMIT_BYTES)
        headers = wire.request.headers
        _check_credentials(wire)
        version = validate.check_version(headers.get("anthropic-version"))
        if raw is None:
            raise too_large()
        return validate.parse(raw), version, bool(headers.get("anthropic-beta"))

    async def _messages(self, wire: Wire) -> None:
        self._ordinal += 1
        entry = wire.entry
        entry.ordinal = self._ordinal
        body, version, beta = await self._body(wire)
        validate.check_create(body, version=version, beta=beta)
        asked = messages.read(body)
        entry.body_hash, entry.model, entry.stream = asked.hash, asked.model, asked.stream
        limits = self._limits.take(asked.model, asked.input_tokens)
        entry.fault = self._faults.choose(asked, entry.ordinal)
        await self._delay(asked, entry.fault)
        if entry.fault is not None and await self._failed(wire, asked, entry.fault):
            return
        await self._reply(wire, asked, entry.fault, limits)

    async def _delay(self, asked: messages.Asked, fault: str | None) -> None:
        seconds = self.config.latency
        if fault == "slow":
            asked_for = number(asked.markers.get("slow", ""))
            seconds += self.config.slow_seconds if asked_for is None else asked_for
        if seconds > 0:
            await self._sleep(seconds)

    async def _failed(self, wire: Wire, asked: messages.Asked, kind: str) -> bool:
        """Whether the fault took the place of a reply."""
        if (rejected := faults.error_of(kind, asked, self.config)) is not None:
            raise rejected
        if kind == "timeout":
            await self._hang()
        if kind in ("timeout", "dropped"):
            wire.drop()
            return True
        return False

    async def _hang(self) -> None:
        """Silence until the client goes, the time is over or the simulator stops."""
        stop = asyncio.ensure_future(self.stopping.wait())
        nap = asyncio.ensure_future(self._sleep(self.config.timeout_seconds))
        try:
            await asyncio.wait({stop, nap}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            nap.cancel()

    async def _reply(self, wire: Wire, asked: messages.Asked, fault: str | None, limits: dict[str, str]) -> None:
        """limits: the headers as they were when the request came; a plain reply shows them after its output."""
        message = messages.refusal(asked) if fault == "refusal" else messages.reply(asked)
        output = message["usage"]["output_tokens"]
        after = self._limits.spend(asked.model, output)
        entry = wire.entry
        if fault not in ("stream_overload", "refusal"):
            entry.input_tokens, entry.output_tokens = asked.input_tokens, output
        entry.stop_reason = message["stop_reason"]
        if asked.stream:
            await wire.stream(message, limits, fault)
        else:
            await wire.message(orjson.dumps(message), after, fault)

    async def _count_tokens(self, wire: Wire) -> None:
        body, version, beta = await self._body(wire)
        validate.check_count(body, version=version, beta=beta)
        wire.entry.model = body["model"]
        await wire.json({"input_tokens": input_tokens(body)})

    async def _models(self, wire: Wire) -> None:
        _check_read(wire)
        query = wire.request.query
        await wire.json(page(_page_size(query.get("limit")), query.get("after_id"), query.get("before_id")))

    async def _model(self, wire: Wire) -> None:
        _check_read(wire)
        id = wire.entry.path.removeprefix("/v1/models/")
        model = find_model(id)
        if model is None:
            raise not_found(f"model: {id}")
        await wire.json(model_info(model))

    async def _log(self, wire: Wire) -> None:
        await wire.json(self.log.to_json())


def _check_credentials(wire: Wire) -> None:
    """Any non-empty key will do. https://platform.claude.com/docs/en/api/overview#authentication"""
    headers = wire.request.headers
    bearer = headers.get("authorization", "")
    if headers.get("x-api-key", "").strip() or bearer.lower().removeprefix("bearer").strip():
        return
    raise unauthorized("x-api-key header is required")


def _check_read(wire: Wire) -> None:
    _check_credentials(wire)
    validate.check_version(wire.request.headers.get("anthropic-version"))


def _page_size(limit: str | None) -> int:
    """`limit` of a list: 1 to 1000, 20 by default (https://platform.claude.com/docs/en/api/models-list)."""
    if limit is None:
        return 20
    if not (limit.isascii() and limit.isdigit()):
        raise Rejected("limit: Input should be a valid integer, unable to parse string as an integer")
    if not 1 <= int(limit) <= MAX_PAGE:
        side = f"greater than or equal to {1}" if int(limit) < 1 else f"less than or equal to {MAX_PAGE}"
        raise Rejected(f"limit: Input should be {side}")
    return int(limit)
