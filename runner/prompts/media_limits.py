"""What all images and documents of one request must keep to together.

https://platform.claude.com/docs/en/build-with-claude/vision#general-limits: 600 images, at most 2,000 px a side when
there are more than 20, 10 MB each as base64; …/pdf-support: 600 pages a request; …/context-windows: 100 of either for
models with a window of 200,000 tokens; …/citations: all documents or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.errors import Position, Problem
from runner.models.rules import rule_for
from runner.prompts.attached import Seen
from runner.spec.media_file import MAX_IMAGE_BASE64, MAX_PAGES

MAX_IMAGES = MAX_PAGES
MAX_OF_SMALL_WINDOWS = 100
SMALL_WINDOW = 200_000
MANY_IMAGES = 20
MAX_SIDE_OF_MANY = 2000

Places = Sequence[Position | None]
"""Where each of the blocks was attached."""


def problems_of(blocks: Sequence[Mapping[str, Any]], places: Places, seen: Seen, model: str = "") -> list[Problem]:
    """Everything that the API would refuse. blocks: all images and documents of a request, in order."""
    return [*_too_large(seen), *_too_many(blocks, places, seen, model), *_cited_in_part(blocks, places)]


def _too_large(seen: Seen) -> Iterator[Problem]:
    for file, at, upload in seen:
        if file.is_image and not upload and file.base64_size > MAX_IMAGE_BASE64:
            what = f"`{file.shown}` has {file.base64_size / 2**20:.1f} MB as base64; an image may have 10 MB"
            step = "make it smaller: beyond about 2,600 pixels a side nothing is gained"
            yield Problem("media-too-large", what, at, next=step)


def _too_many(blocks: Sequence[Mapping[str, Any]], places: Places, seen: Seen, model: str) -> Iterator[Problem]:
    at = places[0]
    rules = rule_for(model)
    small = rules is not None and rules.context is not None and rules.context <= SMALL_WINDOW
    most, whom = (MAX_OF_SMALL_WINDOWS, f" to `{model}`") if small else (MAX_IMAGES, "")
    images = sum(block["type"] == "image" for block in blocks)
    if images > most:
        what = f"the request has {images:,} images; one{whom} may have {most}"
        yield Problem("media-too-large", what, at, next="spread them over several rows")
    pages = sum(file.pages or 0 for file, _, _ in seen)
    if pages > most:
        what = f"the documents have {pages:,} pages together; a request{whom} may have {most}"
        yield Problem("media-too-large", what, at, next="spread them over several rows")
    if images > MANY_IMAGES:
        yield from _too_wide(images, seen)


def _too_wide(images: int, seen: Seen) -> Iterator[Problem]:
    for file, at, _ in seen:
        if file.pixels is not None and max(file.pixels) > MAX_SIDE_OF_MANY:
            size = f"{file.pixels[0]:,} × {file.pixels[1]:,}"
            what = f"`{file.shown}` has {size} pixels; beside {images - 1} other images a side may have 2,000"
            yield Problem("media-too-large", what, at, next=f"make it smaller, or attach at most {MANY_IMAGES}")
            return


def _cited_in_part(blocks: Sequence[Mapping[str, Any]], places: Places) -> Iterator[Problem]:
    for kind, words in (("document", "documents"), ("search_result", "search results")):
        mine = [(_is_cited(block), at) for block, at in zip(blocks, places, strict=True) if block["type"] == kind]
        if len({cited for cited, _ in mine}) > 1:
            what = f"some {words} have `citations: true` and some do not, which the API refuses"
            at = next(at for cited, at in mine if not cited)
            yield Problem("citations-mixed", what, at, next="write it at all of them, or at none")


def _is_cited(block: Mapping[str, Any]) -> bool:
    return bool(block.get("citations", {}).get("enabled"))
