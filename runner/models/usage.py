"""Counting tokens: the API's `usage` object taken apart, and sums of many of them. No prices here.

API facts (https://platform.claude.com/docs/en/api/messages, SDK 2.12.0 source `beta_usage.py`): `input_tokens`
excludes cache tokens; `output_tokens` includes thinking; with `iterations`, the entries are the whole bill and the
top level repeats the serving attempt, so only one of the two is ever counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, NamedTuple


class Tokens(NamedTuple):
    """Tokens of one or many answers. thinking is part of output; web_searches counts searches, not tokens."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    thinking: int = 0
    web_searches: int = 0

    @property
    def prompt(self) -> int:
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    def plus(self, other: Tokens) -> Tokens:
        return Tokens(*map(add, self, other))

    def to_json(self) -> dict[str, int]:
        return self._asdict()


def usage_parts(usage: Mapping[str, Any], model: str) -> Iterator[tuple[str, Tokens]]:
    """(model, tokens) of each billed part: the entries of `iterations` when there are any, else the usage itself.

    Web searches are told at the top level only and go with the last part.
    """
    entries = [entry for entry in usage.get("iterations") or () if isinstance(entry, Mapping)] or [usage]
    searches = _count(_map(usage.get("server_tool_use")).get("web_search_requests"))
    for at, entry in enumerate(entries):
        last = at == len(entries) - 1
        yield entry.get("model") or model, _tokens(entry, searches if last else 0)


def _tokens(entry: Mapping[str, Any], searches: int) -> Tokens:
    written = _count(entry.get("cache_creation_input_tokens"))
    by_ttl = _map(entry.get("cache_creation"))
    hour = _count(by_ttl.get("ephemeral_1h_input_tokens"))
    # Without a breakdown, or with an incomplete one, the rest was written at the default TTL of five minutes.
    five = max(_count(by_ttl.get("ephemeral_5m_input_tokens")), written - hour)
    return Tokens(
        input=_count(entry.get("input_tokens")),
        cache_read=_count(entry.get("cache_read_input_tokens")),
        cache_write_5m=five,
        cache_write_1h=hour,
        output=_count(entry.get("output_tokens")),
        thinking=_count(_map(entry.get("output_tokens_details")).get("thinking_tokens")),
        web_searches=searches,
    )


def _count(value: Any) -> int:
    """A count a server told us; anything but a whole number of zero or more counts nothing."""
    return value if type(value) is int and value > 0 else 0


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, (dict, Mapping)) else {}  # JSON makes dicts, and they are told sooner


@dataclass(slots=True)
class UsageTotals:
    """Sums by kind and model of answers added one by one; memory grows with the number of models only."""

    by_model: dict[str, Tokens] = field(default_factory=dict)

    def add(self, usage: Mapping[str, Any], model: str) -> None:
        for served, tokens in usage_parts(usage, model):
            self.by_model[served] = self.by_model.get(served, Tokens()).plus(tokens)

    @property
    def total(self) -> Tokens:
        return reduce(Tokens.plus, self.by_model.values(), Tokens())
