"""Checks images and documents as the API does: sources, media types, base64, sizes, citations.

Types: `types/image_block_param.py` and `document_block_param.py` of SDK 2.12.0; limits:
https://platform.claude.com/docs/en/build-with-claude/vision and /pdf-support, /citations. (seen) marks wordings quoted
from public issue trackers. Guesses: that an image may have 10 MB of base64 (reports say 5 MB until 2025, 10 MB later),
how pages are counted, and the citation rules' words. A URL is only looked at, never opened."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Any

from runner.simulator.catalog import find_model
from runner.simulator.errors import Rejected

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MOST_IMAGE_BYTES = 10 * 1024 * 1024
MOST_PIXELS = 8000
MOST_PIXELS_OF_MANY = 2000
MANY_IMAGES = 20
MOST_PAGES = 600
MOST_PAGES_SMALL_CONTEXT = 100
SOURCES = {"image": ("base64", "file", "url"), "document": ("base64", "content", "file", "text", "url")}
REQUIRED = {"base64": ("media_type", "data"), "text": ("media_type", "data"), "url": ("url",), "file": ("file_id",),
            "content": ("content",)}  # fmt: skip
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def check_source(path: str, kind: str, source: Any) -> None:
    """The `source` of an image or document; path ends with the block's kind."""
    _check_dict(f"{path}.source", source)
    how = source.get("type")
    if how not in SOURCES[kind]:  # (seen)
        tags = ", ".join(f"'{name}'" for name in SOURCES[kind])
        raise Rejected(
            f"{path}.source: Input tag '{how}' found using 'type' does not match any of the expected tags: {tags}"
        )
    place = f"{path}.source.{how}"
    for name in REQUIRED[how]:
        if name not in source:
            raise Rejected(f"{place}.{name}: Field required")
        if name != "content" and not isinstance(source[name], str):
            raise Rejected(f"{place}.{name}: Input should be a valid string")
    for name in source:
        if name != "type" and name not in REQUIRED[how]:
            raise Rejected(f"{place}.{name}: Extra inputs are not permitted")
    if how == "url" and not source["url"].startswith("https://"):  # (seen)
        raise Rejected(f"{place}: Only HTTPS URLs are supported.")
    if how == "text" and source["media_type"] != "text/plain":
        raise Rejected(f"{place}.media_type: Input should be 'text/plain'")
    if how == "base64":
        _check_base64(place, kind, source)


def _check_base64(path: str, kind: str, source: dict[str, str]) -> None:
    media_type = source["media_type"]
    if kind == "image" and media_type not in IMAGE_TYPES:  # (seen)
        raise Rejected(f"{path}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'")
    if kind == "document" and media_type != "application/pdf":
        raise Rejected(f"{path}.media_type: Input should be 'application/pdf'")
    try:
        data = binascii.a2b_base64(source["data"], strict_mode=True)
    except (binascii.Error, ValueError):
        raise Rejected(f"{path}: invalid base64 data") from None
    if kind == "image":
        check_image(path, data, media_type, len(source["data"]))
    elif not data.startswith(b"%PDF-"):  # (seen)
        raise Rejected(f"{path.replace('.document.', '.pdf.')}.data: The PDF specified was not valid.")


def check_image(path: str, data: bytes, media_type: str, encoded: int) -> None:
    """encoded: how many bytes the base64 text has; that is what the limit counts."""
    if encoded > MOST_IMAGE_BYTES:  # (seen, with 5 MB)
        raise Rejected(f"{path}: image exceeds 10 MB maximum: {encoded} bytes > {MOST_IMAGE_BYTES} bytes")
    found = media_type_of(data)
    if found not in IMAGE_TYPES:  # (seen)
        raise Rejected("Could not process image")
    if found != media_type:  # (seen)
        raise Rejected(
            f"{path}.data: The image was specified using the {media_type} media type, but the image appears to be a "
            f"{found} image"
        )
    if max(pixels(data)) > MOST_PIXELS:  # (seen)
        raise Rejected(f"{path}.data: At least one of the image dimensions exceed max allowed size: 8000 pixels")


def media_type_of(data: bytes) -> str | None:
    """What a file is, by its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return "application/pdf" if data.startswith(b"%PDF-") else None


def pixels(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG or GIF, (0, 0) of anything else."""
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"GIF8") and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return 0, 0


def check_attachments(body: dict[str, Any]) -> None:
    """What concerns all images and documents of a validated body together."""
    found = list(_attachments(body))
    if not found:
        return
    _check_many_images([(path, block) for path, block in found if block["type"] == "image"])
    documents = [(path, block) for path, block in found if block["type"] == "document"]
    _check_pages(body["model"], documents)
    _check_citations(body, [block for _, block in found if block["type"] != "image"])


def _attachments(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, message in enumerate(body["messages"]):
        if isinstance(message["content"], str):
            continue
        for index, block in enumerate(message["content"]):
            if block["type"] in ("image", "document", "search_result"):
                yield f"messages.{number}.content.{index}", block


def _check_many_images(images: list[tuple[str, dict[str, Any]]]) -> None:
    if len(images) <= MANY_IMAGES:
        return
    for path, block in images:
        source = block["source"]
        if source["type"] != "base64":
            continue
        if max(pixels(binascii.a2b_base64(source["data"][:40]))) > MOST_PIXELS_OF_MANY:  # (seen)
            raise Rejected(
                f"{path}.image.source.base64.data: At least one of the image dimensions exceed max allowed size for "
                "many-image requests: 2000 pixels"
            )


def _check_pages(model: str, documents: list[tuple[str, dict[str, Any]]]) -> None:
    known = find_model(model)
    most = MOST_PAGES_SMALL_CONTEXT if known is not None and known.context <= 200_000 else MOST_PAGES
    pages = 0
    for path, block in documents:
        if block["source"]["type"] == "base64":
            pages += page_count(binascii.a2b_base64(block["source"]["data"]))
            if pages > most:  # (seen)
                raise Rejected(f"{path}.pdf.source.base64.data: A maximum of {most} PDF pages may be provided.")


def page_count(pdf: bytes) -> int:
    """Pages of a PDF whose page objects are not compressed; at least 1."""
    return max(1, len(_PAGE.findall(pdf)))


def _check_citations(body: dict[str, Any], citable: list[dict[str, Any]]) -> None:
    enabled = [bool((block.get("citations") or {}).get("enabled")) for block in citable]
    if not any(enabled):
        return
    if not all(enabled):
        raise Rejected("messages: citations must be enabled on all documents or on none of them")
    if (body.get("output_config") or {}).get("format") is not None:
        raise Rejected("output_config.format: structured outputs are not supported when citations are enabled")


def _check_dict(path: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise Rejected(f"{path}: Input should be a valid dictionary")
