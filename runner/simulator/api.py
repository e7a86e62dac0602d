"""One HTTP exchange: which path, which checks, which answer, and what the log says of it.

The order of the checks is a guess: path, method, credentials, version, size, JSON, fields, limits, then faults.
Only `wire` writes to the socket; only `server` opens one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from runner.simulator import fallback, faults, messages, validate
from runner.simulator.betas import read_betas
from runner.simulator.caching import Cache
from runner.simulator.catalog import find_model, model_info, page, use_own_ids
from runner.simulator.config import SimulatorConfig
from runner.simulator.diagnostics import Diagnostics
from runner.simulator.errors import (
    REQUEST_LIMIT_BYTES,
    Rejected,
    method_not_allowed,
    not_found,
    too_large,
)
from runner.simulator.files import Files
from runner.simulator.files_api import answer_files
from runner.simulator.headers import check_credentials, check_read, page_size
from runner.simulator.limits import Limits
from runner.simulator.log import LOG_PATH, SHOWN_HEADERS, Entry, RequestLog
from runner.simulator.markers import number
from runner.simulator.tokens import input_tokens
from runner.simulator.wire import Wire

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
        self._cache = Cache(clock)
        self._files = Files(clock)
        self._diagnostics = Diagnostics()
        self._rng = random.Random(config.seed)  # noqa: S311 - it simulates
        self._session = f"{rng.getrandbits(48):012x}"
        self._routes: dict[str, tuple[str, Route]] = {
            "/v1/messages": ("POST", self._messages),
            "/v1/messages/count_tokens": ("POST", self._count_tokens),
            "/v1/models": ("GET", self._models),
            "/v1/models/": ("GET", self._model),
            LOG_PATH: ("GET", self._log),
        }
        self._requests = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The handler of every request; logs each exactly once, when its last byte was written or could not be."""
        wire = Wire(request, self._entry(request))
        self.log.begin()
        try:
            await self._answer(wire)
        except ConnectionError:
            wire.entry.outcome = "abandoned"
        finally:
            wire.entry.ended = self._clock()
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
        if path == "/v1/files" or path.startswith("/v1/files/"):
            return self._files_api
        if path.startswith("/v1/models/"):
            path = "/v1/models/"
        if path not in self._routes:
            raise not_found()
        allowed, route = self._routes[path]
        if method != allowed:
            raise method_not_allowed(allowed)
        return route

    async def _body(self, wire: Wire) -> tuple[dict[str, Any], str, frozenset[str]]:
        """The parsed body, the API version, and the betas."""
        raw = await wire.read(REQUEST_LIMIT_BYTES)
        headers = wire.request.headers
        check_credentials(wire.request)
        version = validate.check_version(headers.get("anthropic-version"))
        if raw is None:
            raise too_large()
        body = validate.parse(raw)
        if self.config.bedrock_ids:
            use_own_ids(body)
        return body, version, read_betas(headers.get("anthropic-beta"))

    async def _messages(self, wire: Wire) -> None:
        entry = wire.entry
        entry.ordinal = self.log.number()
        body, version, betas = await self._body(wire)
        validate.check_create(body, version=version, betas=betas)
        self._files.check(body)
        asked = self._asked(body)
        entry.body_hash, entry.model, entry.stream = asked.hash, asked.model, asked.stream
        limits = self._limits.take(asked.model, asked.input_tokens - asked.cache.read)
        entry.fault = self._faults.choose(asked, entry.ordinal)
        await self._delay(asked, entry.fault)
        if entry.fault is not None and await self._failed(wire, asked, entry.fault):
            return
        await self._reply(wire, asked, entry.fault, limits)

    def _asked(self, body: dict[str, Any]) -> messages.Asked:
        asked = messages.read(body, self._clock())
        return replace(asked, cache=self._cache.use(body)) if asked.breakpoints else asked

    async def _delay(self, asked: messages.Asked, fault: str | None) -> None:
        latency = self.config.latency * (1 + self.config.jitter * self._rng.uniform(-1, 1))
        seconds = latency + (self.config.cache_write_seconds if asked.cache.written else 0)
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
        message = self._message(asked, refused=fault == "refusal")
        after = self._limits.spend(asked.model, message["usage"]["output_tokens"])
        entry = wire.entry
        if fault != "stream_overload" and message["stop_reason"] != "refusal":
            _note_usage(entry, message["usage"])
        entry.stop_reason = message["stop_reason"]
        if asked.stream:
            await wire.stream(message, limits, fault)
        else:
            await wire.message(orjson.dumps(message), after if self.config.limit_headers == "end" else limits, fault)

    def _message(self, asked: messages.Asked, *, refused: bool) -> dict[str, Any]:
        """The reply, whose beginning lets others read what it wrote to the cache."""
        self._cache.begin(asked.cache)
        if refused:
            message = fallback.served(asked, self._hop)
        else:
            message = messages.reply(asked)
            if asked.body.get("fallbacks") and "iterations" not in message["usage"]:
                message["usage"]["iterations"] = [messages.entry("message", message)]
        message["diagnostics"] = self._diagnostics.of(asked, message)
        return message

    def _hop(self, body: dict[str, Any]) -> messages.Asked:
        """A fallback's attempt, which begins as soon as it is asked for."""
        asked = self._asked(body)
        self._cache.begin(asked.cache)
        return asked

    async def _count_tokens(self, wire: Wire) -> None:
        body, version, betas = await self._body(wire)
        validate.check_count(body, version=version, betas=betas)
        self._files.check(body)
        wire.entry.model = body["model"]
        await wire.json({"input_tokens": input_tokens(body)})

    async def _models(self, wire: Wire) -> None:
        check_read(wire.request)
        query = wire.request.query
        await wire.json(page(page_size(query.get("limit")), query.get("after_id"), query.get("before_id")))

    async def _model(self, wire: Wire) -> None:
        check_read(wire.request)
        id = wire.entry.path.removeprefix("/v1/models/")
        model = find_model(id)
        if model is None:
            raise not_found(f"model: {id}")
        await wire.json(model_info(model))

    async def _files_api(self, wire: Wire) -> None:
        check_read(wire.request)
        await answer_files(wire, self._files, page_size(wire.request.query.get("limit")))

    async def _log(self, wire: Wire) -> None:
        after = wire.request.query.get("after", "")
        await wire.json(self.log.to_json(int(after) if after.isdecimal() else None))


def _note_usage(entry: Entry, usage: dict[str, Any]) -> None:
    """What the exchange costs: the iterations where there are any, and of those not the ones that wrote nothing."""
    for part in [part for part in usage.get("iterations", ()) if part["output_tokens"]] or [usage]:
        entry.input_tokens += part["input_tokens"]
        entry.output_tokens += part["output_tokens"]
        entry.cache_read_tokens += part["cache_read_input_tokens"]
        entry.cache_write_tokens += part["cache_creation_input_tokens"]
