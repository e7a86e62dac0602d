"""Draws the pictures beside it: three shapes in eight colours, 48 pixels square. `python specs/data/shapes/make.py`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

SIDE = 48
COLOURS = {
    "black": (0, 0, 0), "blue": (30, 80, 220), "brown": (120, 70, 20), "green": (20, 150, 60),
    "orange": (250, 140, 20), "pink": (250, 120, 180), "purple": (120, 40, 160), "red": (220, 30, 40),
}  # fmt: skip


def in_circle(x: int, y: int) -> bool:
    return (x - 23.5) ** 2 + (y - 23.5) ** 2 <= 18**2


def in_square(x: int, y: int) -> bool:
    return 8 <= x < 40 and 8 <= y < 40


def in_triangle(x: int, y: int) -> bool:
    return 8 <= y < 40 and abs(x - 23.5) <= (y - 7) / 2


def chunk(kind: bytes, data: bytes) -> bytes:
    """https://www.w3.org/TR/png-3/#5Chunk-layout"""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows: list[bytes], colour: tuple[int, int, int]) -> bytes:
    """Rows of one bit a pixel, white and one colour; stored, not squeezed, so that every zlib writes the same file."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 3, 0, 0, 0)
    palette, pixels = bytes((255, 255, 255, *colour)), zlib.compress(b"".join(b"\0" + row for row in rows), 0)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def row(inside: Callable[[int, int], bool], y: int) -> bytes:
    """Eight pixels a byte, the leftmost in its highest bit."""
    bits = "".join("1" if inside(x, y) else "0" for x in range(SIDE))
    return int(bits, 2).to_bytes(SIDE // 8, "big")


def main() -> None:
    for shape, inside in (("circle", in_circle), ("square", in_square), ("triangle", in_triangle)):
        rows = [row(inside, y) for y in range(SIDE)]
        for name, colour in COLOURS.items():
            Path(__file__).with_name(f"{name}-{shape}.png").write_bytes(png(rows, colour))


if __name__ == "__main__":
    main()
