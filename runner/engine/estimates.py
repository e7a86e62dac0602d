"""How many tokens a request will need, before it is sent: learned from the usage of replies. Pure arithmetic.

Input is the size of the body times a ratio; the warm part of a prefix does not count, as cache reads do not
(https://platform.claude.com/docs/en/api/rate-limits#cache-aware-itpm). Output is the mean so far; `max_tokens` never
counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from runner.records import Json, Request

BYTES_PER_TOKEN = 3.5
FIRST_OUTPUT = 500.0
MEMORY = 100
"""About how many replies the figures rest on."""


@dataclass(slots=True)
class Estimates:
    """ratio: input tokens that were used to those that the size suggested. output: mean tokens of a reply.

    spread: their standard deviation; doubt: that of the mean.
    """

    expected: float = 0.0
    used: float = 0.0
    output: float = FIRST_OUTPUT
    variance: float = 0.0
    spread: float = 0.0
    doubt: float = 0.0
    replies: int = 0

    @property
    def ratio(self) -> float:
        return self.used / self.expected if self.expected else 1.0

    def input(self, request: Request, warm: int) -> float:
        """warm: bytes of it that the prompt cache is believed to hold."""
        return max(1.0, self.ratio * (size_of(request) - warm / BYTES_PER_TOKEN))

    @property
    def surer(self) -> bool:
        """Whether the figures rest on twice as many replies as when this was last so."""
        return self.replies & (self.replies - 1) == 0

    def learn(self, request: Request, total_input: float, output: float) -> None:
        """total_input: cached tokens too."""
        self.replies += 1
        keep = 1 - 1 / min(self.replies, MEMORY)
        self.expected = keep * self.expected + (1 - keep) * size_of(request)
        self.used = keep * self.used + (1 - keep) * total_input
        off = output - self.output
        self.output += (1 - keep) * off
        self.variance = self.output**2 if self.replies == 1 else keep * (self.variance + (1 - keep) * off**2)
        self.spread = math.sqrt(self.variance)
        self.doubt = self.spread / math.sqrt(min(self.replies, MEMORY))


def size_of(request: Request) -> float:
    return len(request.body) / BYTES_PER_TOKEN + request.media_tokens


def tokens_of(usage: Mapping[str, Json] | None) -> tuple[float, float, float] | None:
    """(input that counts against the limit, all input, output); None without counts."""
    if not usage:
        return None
    fresh, output = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(fresh, int) or not isinstance(output, int):
        return None
    counted = fresh + _count(usage.get("cache_creation_input_tokens"))
    return counted, counted + _count(usage.get("cache_read_input_tokens")), output


def _count(value: Json) -> int:
    return value if isinstance(value, int) else 0
