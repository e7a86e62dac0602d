"""The example jobs with attachments: what they send holds the files' own bytes, and what they share is cached."""

from __future__ import annotations

import base64
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from harness import SPECS, Command, json_lines, read_lines


def first_block(line: dict[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = line["body"]["messages"][0]["content"][0]
    return block


def pixels(png: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG by their names, each with its checksum checked."""
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(body),)
        chunks[body[:4]] = body[4:]
        at += 12 + length
    return chunks


def test_rendered_pictures_are_the_files(promptrun: Command) -> None:
    lines = json_lines(promptrun.ok("render", SPECS / "shapes.yaml"))
    for line in lines:
        source = first_block(line)["source"]
        sent = base64.b64decode(source["data"])
        assert sent == (SPECS / "data" / "shapes" / f"{line['id']}.png").read_bytes()
        assert source["media_type"] == "image/png"
        assert len(zlib.decompress(pixels(sent)[b"IDAT"])) == 48 * 7  # 48 rows of a filter byte and 48 bits


@pytest.mark.parametrize("folder", ["shapes", "manuals"])
def test_the_scripts_beside_the_files_make_the_files(folder: str, tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_bytes((SPECS / "data" / folder / "make.py").read_bytes())
    subprocess.run([sys.executable, str(script)], check=True)
    made = sorted(path.name for path in tmp_path.iterdir() if path != script)
    assert made == sorted(path.name for path in (SPECS / "data" / folder).iterdir() if path.suffix in (".png", ".pdf"))
    for name in made:
        assert (tmp_path / name).read_bytes() == (SPECS / "data" / folder / name).read_bytes()


def test_uploaded_files_are_rendered_by_their_hash_and_sent_by_their_id(promptrun: Command, tmp_path: Path) -> None:
    rendered = json_lines(promptrun.ok("render", SPECS / "manuals.yaml"))
    assert len({first_block(line)["source"]["file_id"] for line in rendered}) == 2
    assert all(first_block(line)["source"]["file_id"].startswith("sha256:") for line in rendered)

    promptrun.ok(SPECS / "manuals.yaml", "--simulate", "--output-dir", tmp_path)
    (journal,) = (tmp_path / "simulated" / "manuals").glob("2*/journal.jsonl")
    assert sum(line["t"] == "upload" for line in read_lines(journal)) == 2


def test_five_captions_of_a_picture_share_its_prefix(promptrun: Command, tmp_path: Path) -> None:
    promptrun.ok(SPECS / "captions.yaml", "--simulate", "--output-dir", tmp_path)
    (results,) = (tmp_path / "simulated" / "captions").glob("2*/results.jsonl")
    usage = [(line["id"], line["usage"]) for line in read_lines(results)]
    written = [id for id, one in usage if one["cache_creation_input_tokens"]]
    read = [id for id, one in usage if one["cache_read_input_tokens"]]
    assert sorted(written) == ["bridge", "harbour", "market", "tram"]
    assert len(read) == 16


def test_citations_name_document_and_place(promptrun: Command, tmp_path: Path) -> None:
    promptrun.ok(SPECS / "citations.yaml", "--simulate", "--output-dir", tmp_path)
    (results,) = (tmp_path / "simulated" / "citations").glob("2*/results.jsonl")
    whole = (SPECS / "data" / "rules" / "library.txt").read_text(encoding="utf-8")
    for line in read_lines(results):
        (citation,) = line["citations"]
        assert citation["document_title"] == "The library"
        assert whole[citation["start_char_index"] : citation["end_char_index"]] == citation["cited_text"]
