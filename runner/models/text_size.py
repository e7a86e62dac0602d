"""How many tokens a text has, as far as its size tells: the guess wherever nobody has counted. Knows no price."""

from __future__ import annotations

from typing import Final

BYTES_PER_TOKEN: Final = 3.5
"""A rough size of a token in UTF-8 JSON, between English prose (about 4) and code or newer tokenizers (about 3)."""


def estimated_tokens(size: int) -> int:
    """About how many tokens so many bytes have."""
    return round(size / BYTES_PER_TOKEN)
