"""What a file is by its bytes, how large a picture is, how many pages a PDF has; and that nothing hostile breaks it."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import SpecError
from runner.spec import media
from runner.spec.media_file import MAX_PAGES, MediaFiles, image_tokens
from runner.spec.pdf_pages import is_locked, page_count

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 300, 20) + b"\x08\x02\x00\x00\x00"
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffc4000400ffffc0000b08001401 2c01011100ffd9".replace(" ", "")
)
GIF = b"GIF89a" + struct.pack("<HH", 300, 20) + b"\x00\x00\x00;"
WEBP = b"RIFF\x1a\x00\x00\x00WEBP"
VP8X = WEBP + b"VP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + (299).to_bytes(3, "little") + (19).to_bytes(3, "little")
VP8L = WEBP + b"VP8L\x05\x00\x00\x00\x2f" + (299 | 19 << 14).to_bytes(4, "little")
VP8 = WEBP + b"VP8 \x0a\x00\x00\x00\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 300, 20)
KINDS = [
    (PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"),
    (VP8X, "image/webp"), (VP8L, "image/webp"), (VP8, "image/webp"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "media_type"), KINDS)
def test_a_picture_is_known_by_its_bytes(head: bytes, media_type: str) -> None:
    assert media.sniff(head) == media_type
    assert media.image_size(media_type, head) == (300, 20)


@pytest.mark.parametrize(("head", "media_type"), KINDS)
def test_a_picture_cut_off_anywhere_has_no_size_and_breaks_nothing(head: bytes, media_type: str) -> None:
    for end in range(len(head)):
        size = media.image_size(media_type, head[:end])
        assert size is None or size == (300, 20)


def test_a_pdf_may_begin_with_junk() -> None:
    assert media.sniff(b"\0\0junk\n%PDF-1.7\n") == "application/pdf"
    assert media.sniff(b"x" * 2000 + b"%PDF-1.7\n") is None


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(head: bytes) -> None:
    found = media.sniff(head)
    assert found is None or found in (*media.IMAGES, media.PDF)
    media.foreign(head)
    for kind in media.IMAGES:
        media.image_size(kind, head)
    page_count(head)


def test_a_text_that_begins_like_a_bitmap_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "cars.txt").write_text("BMW and others", encoding="utf-8")
    assert MediaFiles().look(tmp_path / "cars.txt", "cars.txt").media_type == "text/plain"


# ---------------------------------------------------------------- pages

PAGE = b"<< /Type /Page /Parent 2 0 R >>\n"


def test_the_greatest_count_is_the_tree_and_outlines_do_not_count() -> None:
    tree = b"2 0 obj\n<< /Count 3 /Kids [9 0 R] /Type /Pages >>\nendobj\n9 0 obj\n<< /Type /Pages /Count 2 >>\nendobj\n"
    assert page_count(b"%PDF-1.4\n8 0 obj\n<< /Type /Outlines /Count 700 >>\nendobj\n" + tree) == 3


def test_pages_are_counted_where_no_count_is_near() -> None:
    assert page_count(b"%PDF-1.4\n" + PAGE * 4) == 4


def test_a_file_changed_in_place_has_the_pages_it_shows_once() -> None:
    assert page_count(b"%PDF-1.4\n2 0 obj\n<< /Type /Pages /Count 2 >>\nendobj\n" + PAGE * 4) == 2


def test_a_compressed_page_tree_is_found() -> None:
    inner = zlib.compress(b"<< /Type /Pages /Count 7 /Kids [] >> " + PAGE * 7)
    stream = (
        b"5 0 obj\n<< /Type /ObjStm /N 8 /First 40 /Filter /FlateDecode >>\nstream\n" + inner + b"\nendstream\nendobj\n"
    )
    assert page_count(b"%PDF-1.5\n" + stream) == 7
    assert page_count(b"%PDF-1.5\n" + stream.replace(inner, b"no zlib")) is None


def test_a_locked_pdf_is_noticed() -> None:
    assert is_locked(b"trailer << /Root 1 0 R /Encrypt 9 0 R >>")
    assert not is_locked(b"trailer << /Root 1 0 R /EncryptMetadata true >>")


# ---------------------------------------------------------------- files


def test_a_file_is_read_once_while_it_stays_the_same(tmp_path: Path) -> None:
    path, files = tmp_path / "a.txt", MediaFiles()
    path.write_text("one", encoding="utf-8")
    first = files.look(path, "a.txt")
    assert files.look(path, "a.txt") is first
    path.write_text("other", encoding="utf-8")
    assert files.look(path, "a.txt").sha256 != first.sha256


def test_what_is_wrong_with_a_file_is_found_once_too(tmp_path: Path) -> None:
    path, files = tmp_path / "a.bin", MediaFiles()
    path.write_bytes(b"\0\1\2")
    errors = []
    for _ in range(2):
        with pytest.raises(SpecError) as caught:
            files.look(path, "a.bin")
        errors.append(caught.value.problems)
    assert errors[0] == errors[1]
    assert errors[0][0].rule == "unknown-media"


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("empty.png", b"", "unknown-media"),
        ("a.png", JPEG, "media-mismatch"),
        ("a.pdf", PNG, "media-mismatch"),
        ("a.jpg", b"just text", "media-mismatch"),
        ("latin.txt", "Grüße".encode("latin-1"), "unknown-media"),
        ("late.txt", b"x" * 70_000 + b"\xff", "wrong-encoding"),
        ("half.txt", b"x" * (64 * 1024 - 1) + "ü".encode()[:1], "wrong-encoding"),
        ("a.tiff", b"II*\x00" + bytes(20), "unknown-media"),
    ],
)
def test_files_that_cannot_be_attached(name: str, content: bytes, rule: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError) as caught:
        MediaFiles().look(tmp_path / name, name)
    assert caught.value.problems[0].rule == rule
    assert caught.value.problems[0].next


def test_a_character_on_the_edge_of_the_first_block_is_text(tmp_path: Path) -> None:
    (tmp_path / "edge.txt").write_bytes(b"x" * (64 * 1024 - 1) + "ü".encode() + b" end")
    assert MediaFiles().look(tmp_path / "edge.txt", "edge.txt").media_type == "text/plain"


def test_a_file_larger_than_any_upload_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.pdf").open("wb") as file:
        os.truncate(file.fileno(), 500 * 1024 * 1024 + 1)  # a hole: nothing is written
    with pytest.raises(SpecError, match="501 MB; a file may have 500 MB"):
        MediaFiles().look(tmp_path / "huge.pdf", "huge.pdf")


def test_more_pages_than_a_request_may_have(tmp_path: Path) -> None:
    (tmp_path / "long.pdf").write_bytes(b"%PDF-1.4\n" + PAGE * (MAX_PAGES + 1))
    with pytest.raises(SpecError, match="has 601 pages; a request may have 600"):
        MediaFiles().look(tmp_path / "long.pdf", "long.pdf")


def test_tokens_of_a_picture_are_its_patches_up_to_the_size_it_is_shrunk_to() -> None:
    """https://platform.claude.com/docs/en/build-with-claude/vision: patches of 28 pixels."""
    assert image_tokens((28, 28)) == 1
    assert image_tokens((29, 56)) == 4
    assert image_tokens((8000, 8000)) == image_tokens() == 4784
