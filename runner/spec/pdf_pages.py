"""How many pages a PDF has, and whether it is locked: by searching its bytes, without a PDF library.

Cheap and cautious: the number is the file's own count where it stands in the open, and None where it cannot be had
for little; a page tree in compressed object streams is looked at up to a bound. Nothing of the file is ever run.
PDF 32000-1:2008, 7.7.3 (page tree) and 7.5.7 (object streams).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import islice
from mmap import mmap
from typing import Final, TypeAlias

Data: TypeAlias = "bytes | mmap"

_PAGES: Final = re.compile(rb"/Type\s*/Pages\b")
_COUNT: Final = re.compile(rb"/Count\s+(\d{1,7})\b")
_PAGE: Final = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_LOCKED: Final = re.compile(rb"/Encrypt\s+\d+\s+\d+\s+R|/Encrypt\s*<<")
_OBJECTS: Final = re.compile(rb"/Type\s*/ObjStm\b.{0,400}?stream\r?\n", re.DOTALL)
_MOST_INFLATED: Final = 32 * 1024 * 1024
_MOST_NODES: Final = 1000
_NEAR: Final = 4000
"""How far in a node of the page tree `/Count` may stand from `/Type`: a root names each of its pages between them."""


def page_count(data: Data) -> int | None:
    """The number of pages of a whole PDF; None when it is not to be found cheaply. Never more than there are."""
    found = _counted(data)
    return found if found is not None else _counted(b"\n".join(_object_streams(data)))


def is_locked(data: Data) -> bool:
    """Whether the PDF is encrypted, which the API refuses (its trailer names how)."""
    return _LOCKED.search(data) is not None


def _counted(data: Data) -> int | None:
    """The root of the page tree has the greatest count. A file that was changed in place may hold older roots too,
    so the page objects that are seen bound it."""
    counts = [_count_of(data, match.start()) for match in islice(_PAGES.finditer(data), _MOST_NODES)]
    pages = sum(1 for _ in _PAGE.finditer(data))
    known = [number for number in (max(counts, default=0), pages) if number]
    return min(known) if known else None


def _count_of(data: Data, at: int) -> int:
    """The count of the page tree's node around a place; 0 when it is not near."""
    before, after = data[max(0, at - _NEAR) : at], data[at : at + _NEAR]
    node = before.rpartition(b"obj")[2] + after.partition(b"endobj")[0]
    found = _COUNT.search(node)
    return int(found[1]) if found else 0


def _object_streams(data: Data) -> Iterator[bytes]:
    """What the compressed object streams hold, together at most 32 MB."""
    left = _MOST_INFLATED
    for match in _OBJECTS.finditer(data):
        end = data.find(b"endstream", match.end())
        try:
            text = zlib.decompressobj().decompress(data[match.end() : end], left)
        except zlib.error:
            continue
        left -= len(text)
        yield text
        if left <= 0:
            return
