"""Looks at one file to attach: what it is, how large, how many pages or pixels, and the hash of its content.

Reads files that `Confine` let through and keeps none of them: at most a bounded number of findings, by path, size and
time of change. Limits: https://platform.claude.com/docs/en/build-with-claude/vision#general-limits (an image: 10 MB as
base64, 8000 px a side), …/pdf-support (600 pages, no password), …/files (500 MB).
"""

from __future__ import annotations

import codecs
import hashlib
import mmap
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from runner.errors import Position, Problem, SpecError
from runner.spec import media
from runner.spec.pdf_pages import is_locked, page_count

MAX_IMAGE_BASE64: Final = 10 * 1024 * 1024
MAX_UPLOAD: Final = 500 * 1024 * 1024
MAX_SIDE: Final = 8000
MAX_PAGES: Final = 600
_SIZE_FIRST: Final = ("image/png", "image/gif")
"""Formats that say first how many pixels they have: without that there is no picture (a JPEG may say it late)."""
_MOST_KEPT: Final = 4096
_MOST_TOKENS_AN_IMAGE: Final = 4784
_MOST_TOKENS_A_PAGE: Final = 8000
_PATCH: Final = 28


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that may be attached. path: absolute. size: bytes. pages: of a PDF, None when not known.

    pixels: (width, height) of an image, None when not known. tokens: what it costs at most, a guess where the API
    does not say (a page: text and picture together).
    """

    path: Path
    shown: str
    media_type: str
    size: int
    sha256: str
    pages: int | None = None
    pixels: tuple[int, int] | None = None

    @property
    def is_image(self) -> bool:
        return self.media_type in media.IMAGES

    @property
    def base64_size(self) -> int:
        """Its characters in a body: https://www.rfc-editor.org/rfc/rfc4648#section-4; text goes as it is."""
        return self.size if self.media_type == media.TEXT else -(-self.size // 3) * 4

    @property
    def tokens(self) -> int:
        if self.is_image:
            return image_tokens(self.pixels)
        if self.media_type == media.PDF:
            return pdf_tokens(self.pages, self.size)
        return self.size


def image_tokens(pixels: tuple[int, int] | None = None) -> int:
    """A token for each patch of 28 pixels, up to the size that images are shrunk to; of an unknown one the most."""
    if pixels is None:
        return _MOST_TOKENS_AN_IMAGE
    width, height = pixels
    return min(-(-width // _PATCH) * -(-height // _PATCH), _MOST_TOKENS_AN_IMAGE)


def pdf_tokens(pages: int | None, size: int) -> int:
    """What a PDF of so many pages costs at most, text and pictures together; a guess where they are not known."""
    return _MOST_TOKENS_A_PAGE * (pages or 1 + size // 100_000)


class MediaFiles:
    """Looks at files, each once while it stays the same. Keeps at most 4,096 findings."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Path, int, int], MediaFile | Problem] = OrderedDict()

    def look(self, path: Path, shown: str, where: Position | None = None) -> MediaFile:
        """What the file is. Raises SpecError when it cannot be read or be attached at all."""
        try:
            stat = path.stat()
        except OSError as error:
            raise _unreadable(shown, error, where) from None
        stamp = (path, stat.st_size, stat.st_mtime_ns)
        if stamp not in self._known:
            self._known[stamp] = _finding(path, shown, stat.st_size, where)
            if len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(stamp)
        found = self._known[stamp]
        if isinstance(found, Problem):
            raise SpecError(found.what, where=where, next=found.next, rule=found.rule)
        return found


def _finding(path: Path, shown: str, size: int, where: Position | None) -> MediaFile | Problem:
    """A file, or why it is none to attach: the second row that names a broken file need not read it again."""
    try:
        return examine(path, shown, size)
    except SpecError as error:
        return error.problems[0]
    except OSError as error:
        raise _unreadable(shown, error, where) from None


def examine(path: Path, shown: str, size: int) -> MediaFile:
    """Reads the whole file once, in constant memory. Raises SpecError and OSError."""
    if size == 0:
        raise SpecError(f"`{shown}` is empty", next="attach a file with something in it", rule="unknown-media")
    if size > MAX_UPLOAD:
        what = f"`{shown}` has {_mb(size)} MB; a file may have 500 MB"
        raise SpecError(what, next="make it smaller", rule="media-too-large")
    with path.open("rb") as file:
        head = file.read(media.HEAD)
        media_type = media.sniff(head) or _text_type(path, shown, head)
        _check_name(shown, media_type)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if media_type == media.TEXT:
            file.seek(0)
            _check_text(file, shown)
        pages = _pages(file.fileno(), shown) if media_type == media.PDF else None
    return MediaFile(path, shown, media_type, size, digest, pages, _pixels(media_type, head, shown))


def _text_type(path: Path, shown: str, head: bytes) -> str:
    """`text/plain` for a file that is UTF-8 as far as its first 64 KB show. Raises SpecError for all others."""
    found = media.foreign(head)
    if found is None and not media.is_drawing(shown) and _is_text(head):
        return media.TEXT
    what = found or ("an SVG drawing" if media.is_drawing(shown) else "neither an image, a PDF nor UTF-8 text")
    step = "convert it to PNG, JPEG, GIF or WebP, to PDF, or to UTF-8 text"
    raise SpecError(f"`{shown}` is {what}", next=step, rule="unknown-media")


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == media.HEAD and error.start > len(head) - 4  # the head ends within a character
    return True


def _check_text(file: BinaryIO, shown: str) -> None:
    """Raises SpecError unless the whole file is UTF-8."""
    decoder, at = codecs.getincrementaldecoder("utf-8")(), 0
    block = file.read(media.HEAD)
    while block or at == 0:
        following = file.read(media.HEAD)
        try:
            decoder.decode(block, final=not following)
        except UnicodeDecodeError:
            what = f"`{shown}` is not UTF-8, somewhere behind byte {at}"
            raise SpecError(what, next="save the file as UTF-8", rule="wrong-encoding") from None
        at += len(block)
        block = following


def _check_name(shown: str, media_type: str) -> None:
    promised = media.expected(shown)
    if promised is not None and promised != media_type:
        what = f"`{shown}` is named like {media.in_words(promised)}, and is {media.in_words(media_type)}"
        step = f"rename it to `{shown.rpartition('/')[2].rpartition('.')[0]}{media.extension_of(media_type)}`"
        raise SpecError(what, next=f"{step}, or replace it", rule="media-mismatch")


def _pages(descriptor: int, shown: str) -> int | None:
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        if is_locked(data):
            what = f"`{shown}` is encrypted, which the API refuses"
            raise SpecError(what, next="save it without a password", rule="media-refused")
        pages = page_count(data)
    if pages is not None and pages > MAX_PAGES:
        what = f"`{shown}` has {pages:,} pages; a request may have {MAX_PAGES}"
        raise SpecError(what, next="split it", rule="media-too-large")
    return pages


def _pixels(media_type: str, head: bytes, shown: str) -> tuple[int, int] | None:
    pixels = media.image_size(media_type, head)
    seen = media_type in _SIZE_FIRST or (media_type in media.IMAGES and len(head) < media.HEAD)
    if seen and not (pixels and all(pixels)):
        what = f"`{shown}` is {media.in_words(media_type)} that is broken or cut off: it does not say how large it is"
        raise SpecError(what, next="open it in a viewer and save it again", rule="media-refused")
    if pixels is not None and max(pixels) > MAX_SIDE:
        what = f"`{shown}` has {pixels[0]:,} × {pixels[1]:,} pixels; a side may have {MAX_SIDE:,}"
        step = "make it smaller: beyond about 2,600 pixels nothing is gained"
        raise SpecError(what, next=step, rule="media-too-large")
    return pixels


def _unreadable(shown: str, error: OSError, where: Position | None) -> SpecError:
    what = f"`{shown}` cannot be read: {error.strerror or os.strerror(error.errno or 0)}"
    return SpecError(what, where=where, rule="file-unreadable")


def _mb(size: int) -> int:
    return -(-size // (1024 * 1024))
