"""What kind of file this is, by its first bytes: images, PDFs and text, and names for what Claude cannot read.

Pure functions over bytes and names; opens nothing. The extension decides nothing, it is only compared.
Media types: https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support; the signatures are
those of https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern
"""

from __future__ import annotations

import struct
from typing import Final

IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
PDF: Final = "application/pdf"
TEXT: Final = "text/plain"
HEAD: Final = 64 * 1024
"""How many bytes of a file `sniff` and `image_size` want to see."""

_PDF_WITHIN: Final = 1024  # Adobe's own reader accepts junk before the header that far in
_EXTENSIONS: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": PDF,
}
_OTHER: Final = (
    (b"PK\x03\x04", "a ZIP file (perhaps a Word or Excel document)"),
    (b"\xd0\xcf\x11\xe0", "an old Word or Excel document"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%!PS", "a PostScript file"),
    (b"{\\rtf", "an RTF document"),
)
_NAMES: Final = {
    "image/png": "a PNG image",
    "image/jpeg": "a JPEG image",
    "image/gif": "a GIF image",
    "image/webp": "a WebP image",
    PDF: "a PDF",
    TEXT: "text",
}


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes of a file show: of an image, PDF; None for anything else, text too."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return PDF if b"%PDF-" in head[:_PDF_WITHIN] else None


def foreign(head: bytes) -> str | None:
    """What a file is that Claude takes in no block, in words; None when nothing is known of it."""
    for start, name in _OTHER:
        if head.startswith(start):
            return name
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":  # the reserved bytes: a text may begin with BM
        return "a BMP image"
    if head[4:8] == b"ftyp":
        return "a HEIC or AVIF image" if head[8:12] in (b"heic", b"heix", b"mif1", b"avif") else "a video"
    return None


def expected(name: str) -> str | None:
    """The media type that a file's extension promises; None for one that promises none of ours."""
    return _EXTENSIONS.get(_extension(name))


def is_drawing(name: str) -> bool:
    """SVG is text, but nobody who attaches a drawing means its source."""
    return _extension(name) in (".svg", ".svgz")


def _extension(name: str) -> str:
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def in_words(media_type: str) -> str:
    """`a PNG image`, `a PDF`, `text`."""
    return _NAMES[media_type]


def extension_of(media_type: str) -> str:
    """The usual extension, `.jpg`."""
    return next((suffix for suffix, known in _EXTENSIONS.items() if known == media_type), ".txt")


def image_size(media_type: str, head: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels; None when they do not stand in the head, or the file is broken."""
    try:
        return _SIZES[media_type](head)
    except (KeyError, IndexError, struct.error):
        return None


def _png_size(head: bytes) -> tuple[int, int] | None:
    return struct.unpack(">II", head[16:24]) if head[12:16] == b"IHDR" else None


def _gif_size(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", head[6:10])
    return width, height


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """From the frame header, behind whatever segments stand before it (ITU T.81, B.1.1.3)."""
    at = 2
    while at < len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + struct.unpack(">H", head[at + 2 : at + 4])[0]
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """https://developers.google.com/speed/webp/docs/riff_container: extended, lossless or lossy."""
    kind = head[12:16]
    if len(head) < (25 if kind == b"VP8L" else 30):
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


_SIZES: Final = {
    "image/png": _png_size,
    "image/jpeg": _jpeg_size,
    "image/gif": _gif_size,
    "image/webp": _webp_size,
}
