"""What a result line says of its request, read off its bytes: three times as fast as reading it as JSON.

A line that does not look exactly as `Result.to_json` writes it is none of this module's: None, and it is to be read
whole. In JSON a quote inside a text is escaped, so no text can pass for the keys that are looked for.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from runner.store.versions import FORMAT

_START: Final = b'{"v":%d,"job":"' % FORMAT
_HEAD: Final = re.compile(re.escape(_START) + rb'[^"\\]*","run":"[^"\\]*","n":(\d{1,15}),"id":"')
_BILLED: Final = b'"billed_usd":'
_PAID: Final = re.compile(_BILLED + rb'(\d+(?:\.\d+)?(?:e-?\d+)?),"failure":null,"calls":\[(\]?)')
_ENDS: Final = (b',"simulated":true}\n', b',"simulated":false}\n')


class Head(NamedTuple):
    """billed: US dollars that all parts of the answer were billed together. reused: it is another request's answer."""

    n: int
    billed: float
    reused: bool


def answered_head(line: bytes) -> Head | None:
    """Of a line that holds an answer at a known price; None where only the whole line can tell. Only the line of a
    failed request has a failure, and only a reused answer has no call.

    line: with its end. Two lines that ran into one, or a hole of zeros that a power failure left, are no such line.
    """
    head = _HEAD.match(line)
    if head is None or not line.endswith(_ENDS) or b"\0" in line:
        return None
    at = line.find(_BILLED, head.end())
    if at < 0 or line.find(_BILLED, at + 1) >= 0 or line.find(_START, head.end(), at) >= 0:
        return None
    paid = _PAID.match(line, at)
    return Head(int(head[1]), float(paid[1]), bool(paid[2])) if paid else None
