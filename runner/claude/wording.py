"""Text that came from elsewhere, made fit for one line of a report: short, printable, without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_LENGTH = 500

SECRETS = re.compile(r"sk-ant-[\w-]{4,}|(?i:bearer)\s+[\w.~+/=-]{8,}")
USER_INFO = re.compile(r"//[^/@\s]+@")
TAGS = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")


def one_line(text: str, *, secrets: Iterable[str] = (), limit: int = MAX_LENGTH) -> str:
    """`text` on one line of at most `limit` characters; `secrets` and whatever looks like one are taken out."""
    for secret in secrets:
        text = text.replace(secret, "[credential]")
    text = USER_INFO.sub("//", SECRETS.sub("[credential]", text))
    text = UNPRINTABLE.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def excerpt(body: bytes, *, secrets: Iterable[str] = (), limit: int = 120) -> str:
    """The first words of a body that is not what it should be; tags of an HTML page are left out."""
    text = one_line(TAGS.sub(" ", body[:20_000].decode("utf-8", "replace")), secrets=secrets, limit=limit)
    return f"`{text}`" if text else "an empty body"
