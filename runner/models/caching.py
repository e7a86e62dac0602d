"""What is known of prompt caching apart from prices: how short a prefix may be, and how long it lives.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching. The minimum of a model is `rules.toml`'s.
"""

from __future__ import annotations

from typing import Final

from runner.models.rules import rule_for

ASSUMED_LEAST: Final = 1024
"""Tokens; the minimum of most models, taken for one whose minimum is not known."""

GREATEST_LEAST: Final = 4096
"""The greatest minimum of any model: a prefix this long is cached by all of them."""

SECONDS: Final = {"5m": 300.0, "1h": 3600.0}


def least_tokens(model: str) -> tuple[int, bool]:
    """The shortest prefix that the model caches, in tokens, and whether that is known or assumed."""
    rules = rule_for(model)
    least = rules.min_cache_prefix if rules is not None else None
    return (ASSUMED_LEAST, False) if least is None else (least, True)
