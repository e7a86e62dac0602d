"""What rendered requests want of their models, so that a model can be asked whether it has that. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from runner.records import Request


class Want(NamedTuple):
    """Something a request asks of a model. field: the spec's key it comes from; value: an effort, a type, a number …"""

    model: str
    field: str
    value: str | int


def wants(requests: Iterable[Request]) -> dict[Want, Request]:
    """Every different want, with the first request that has it; of `max_tokens`, the greatest of each model."""
    first: dict[Want, Request] = {}
    most: dict[str, Request] = {}
    for request in requests:
        if request.problem is not None:
            continue
        if request.model not in most or request.max_tokens > most[request.model].max_tokens:
            most[request.model] = request
        for field, value in _of(orjson.loads(request.body)):
            first.setdefault(Want(request.model, field, value), request)
    return {Want(model, "max_tokens", one.max_tokens): one for model, one in most.items()} | first


def _of(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "model", body["model"]
    config = body.get("output_config") or {}
    if "effort" in config:
        yield "effort", config["effort"]
    if "format" in config:
        yield "output", "structured_outputs"
    if "thinking" in body:
        yield "thinking", body["thinking"]["type"]
    if isinstance(body.get("fallbacks"), list):
        for hop in body["fallbacks"]:
            yield "fallbacks", hop["model"]
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            yield from _of_block(block)


def _of_block(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    source = block.get("source") or {}
    if block.get("type") == "image":
        yield "attachments", "image_input"
    elif block.get("type") == "document" and _is_pdf(source):
        yield "attachments", "pdf_input"
    if (block.get("citations") or {}).get("enabled"):
        yield "attachments", "citations"


def _is_pdf(source: Any) -> bool:
    """A document at a URL is one: the API fetches no other kind."""
    if not isinstance(source, Mapping):
        return False
    return source.get("media_type") == "application/pdf" or source.get("type") == "url"
