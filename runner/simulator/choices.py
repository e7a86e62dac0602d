"""The words a prompt lets the answer choose from, so that a simulated classification reads like one.

`one of: billing, bug, praise`, `one of bug or praise`, and `one of:` with a bulleted list below. Anything less clear is
no choice; without a colon only single words count, so that "one of the best" is not one.
"""

from __future__ import annotations

import re
from itertools import takewhile

READ_CHARACTERS = 4_000
"""How much of a long prompt's beginning and of its end is read."""

_WITH_COLON = re.compile(r"\bone of[^.\n:]{0,40}:(.{3,600})", re.IGNORECASE | re.DOTALL)
_WITHOUT = re.compile(r"\bone of\s+([^.\n]{3,300})", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:[,;|/]|\bor\b|\band\b)\s*", re.IGNORECASE)
_QUOTES = " \t`'\"*()[]\u201c\u201d"


def options(text: str) -> list[str]:
    """Two words or more, or [] when the text offers no choice."""
    if len(text) > 2 * READ_CHARACTERS:
        text = f"{text[:READ_CHARACTERS]}\n\n{text[-READ_CHARACTERS:]}"
    if "one of" not in text.lower():  # most prompts offer none, and the patterns below are slow
        return []
    for found in _WITH_COLON.findall(text):
        if len(words := _listed(found)) > 1:
            return words
    for found in _WITHOUT.findall(text):
        if len(words := _fitting(_BETWEEN.split(found), spaces=0)) > 1:
            return words
    return []


def _listed(text: str) -> list[str]:
    """What follows a colon: a list on the same line, or bullets below it."""
    first, _, below = text.partition("\n")
    if first.strip():
        return _fitting(_BETWEEN.split(first.partition(".")[0]), spaces=2)
    bullets = takewhile(lambda line: line.startswith(("-", "*")), (line.strip() for line in below.split("\n")))
    return _fitting([bullet[1:] for bullet in bullets], spaces=2)


def _fitting(words: list[str], *, spaces: int) -> list[str]:
    """The words up to the first that is too long to be a label."""
    cleaned = [word for word in (word.strip(_QUOTES) for word in words) if word]
    return list(takewhile(lambda word: len(word) <= 30 and word.count(" ") <= spaces, cleaned))[:20]
