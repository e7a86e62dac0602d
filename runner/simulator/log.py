"""What was asked and how it ended: the last so many exchanges, and exact counts of all.

Holds no prompt, no reply and no credential.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["completed", "error", "broken", "abandoned"]
"""completed: a whole 200 was written. error: an error body or event was. broken: the simulator ended the connection
or the stream too early. abandoned: the client went away first."""

LOG_PATH = "/simulator/log"
SHOWN_HEADERS = ("anthropic-version", "anthropic-beta", "user-agent", "x-stainless-retry-count")


@dataclass(slots=True)
class Entry:
    """One exchange. ordinal: its place among the POST /v1/messages requests, from 1; None for other paths.

    at: seconds since 1970 when it arrived. ended: when it was over: the last byte of a reply was written, or the
    connection was seen to be gone. status: None when no reply began. fault: the simulated fault, if any.
    body_hash: sha256 of the canonical body, None for one that was not accepted.
    error: the type in the error body or event. The token counts are what a real account would have paid for;
    input_tokens holds neither those read from the cache nor those written to it.
    """

    method: str
    path: str
    at: float
    request_id: str
    ended: float | None = None
    ordinal: int | None = None
    body_hash: str | None = None
    model: str | None = None
    stream: bool = False
    status: int | None = None
    fault: str | None = None
    error: str | None = None
    outcome: Outcome = "abandoned"
    stop_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


class RequestLog:
    """The last `size` entries in order of their end, and counts since the start."""

    def __init__(self, size: int) -> None:
        self.entries: deque[Entry] = deque(maxlen=size)
        self.outcomes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.total = 0
        self.arrived = 0  # POST /v1/messages; those that have ended are in `messages`
        self.messages = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cache_read_tokens = 0
        self.cache_write_tokens = 0
        self.cache_reads = 0  # requests, not tokens
        self.cache_writes = 0
        self.in_flight = 0
        self.most_in_flight = 0

    def begin(self) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def number(self) -> int:
        """The ordinal of a POST /v1/messages that has just arrived."""
        self.arrived += 1
        return self.arrived

    def add(self, entry: Entry) -> None:
        """The exchange is over, however it went."""
        self.in_flight -= 1
        self.total += 1
        self.messages += entry.ordinal is not None
        self.outcomes[entry.outcome] += 1
        if entry.fault:
            self.faults[entry.fault] += 1
        if entry.status:
            self.statuses[entry.status] += 1
        self.input_tokens += entry.input_tokens
        self.output_tokens += entry.output_tokens
        self.cache_read_tokens += entry.cache_read_tokens
        self.cache_write_tokens += entry.cache_write_tokens
        self.cache_reads += entry.cache_read_tokens > 0
        self.cache_writes += entry.cache_write_tokens > 0
        if entry.path != LOG_PATH:  # a test that looks often must not push out what it looks for
            self.entries.append(entry)

    def to_json(self, after: int | None = None) -> dict[str, Any]:
        """What GET /simulator/log answers. entries: all that are kept, or the messages with a higher ordinal alone."""
        return {
            "total": self.total,
            "arrived": self.arrived,
            "messages": self.messages,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "outcomes": dict(self.outcomes),
            "faults": dict(self.faults),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "cache_reads": self.cache_reads,
            "cache_writes": self.cache_writes,
            "entries": [entry for entry in self.entries if after is None or (entry.ordinal or 0) > after],
        }
