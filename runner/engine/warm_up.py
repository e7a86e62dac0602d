"""The request that `cache.warm_up` sends to write a prefix before anyone asks for it. Pure functions over bodies.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pre-warming-the-cache: the same body with
`max_tokens: 0`. A thinking budget and a forced tool choice are refused with it and left out: neither is part of a
prefix that ends before the messages (`spec/lint_warm_up.py` refuses the others). A reply format is part of it.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from runner.records import Request


def warm_up_of(request: Request) -> Request | None:
    """None where the API would refuse it."""
    body = orjson.loads(request.body)
    if "format" in (body.get("output_config") or {}) or "output_format" in body:
        return None
    body.pop("stream", None)
    if (body.get("thinking") or {}).get("type") == "enabled":
        del body["thinking"]
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        del body["tool_choice"]
    return replace(request, body=orjson.dumps({**body, "max_tokens": 0}), max_tokens=0)
