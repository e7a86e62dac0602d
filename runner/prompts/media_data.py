"""Base64 that stands in a spec itself, in the API's own spelling: checked like a file, sent as it is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from runner.errors import SpecError
from runner.records import Json
from runner.spec import media
from runner.spec.media_file import MAX_IMAGE_BASE64, image_tokens, pdf_tokens
from runner.spec.pdf_pages import page_count


def data_block(item: Mapping[str, Any]) -> tuple[str, dict[str, Json], int]:
    """(kind of block, its source, tokens at most). Raises SpecError when the data is not what it says it is."""
    data, named, at = item["data"], item["media_type"], item.get("at")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        step = "write `path: …` instead, and promptrun encodes the file"
        raise SpecError("`data` is not base64", where=at, next=step, rule="wrong-value") from None
    found = media.sniff(raw[: media.HEAD])
    if found is None:
        what = "`data` holds neither an image nor a PDF"
        raise SpecError(what, where=at, next="write text as `text: …`", rule="unknown-media")
    kind = "document" if found == media.PDF else "image"
    if found != named or item["type"] != kind:
        what = f"`data` is {media.in_words(found)}, and is said to be `{item['type']}`, `{named}`"
        step = f"write `type: {kind}` and `media_type: {found}`"
        raise SpecError(what, where=at, next=step, rule="media-mismatch")
    if kind == "image" and len(data) > MAX_IMAGE_BASE64:
        raise SpecError("the image is larger than 10 MB", where=at, next="make it smaller", rule="media-too-large")
    tokens = image_tokens(media.image_size(found, raw)) if kind == "image" else pdf_tokens(page_count(raw), len(raw))
    return kind, {"type": "base64", "media_type": found, "data": data}, tokens
