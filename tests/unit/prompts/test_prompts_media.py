"""Attachments in requests: keys by content, one file read at a time, and what a whole request must keep to."""

from __future__ import annotations

import base64
import json
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Position, SpecError
from runner.models.providers import PROVIDERS
from runner.prompts.build import RequestBuilder
from runner.prompts.media_body import whole_body
from runner.prompts.plan import PlanLedger
from runner.records import Request, Row, Source
from runner.spec.job import ClientSpec, JobSpec, Reuse, RunSpec

AT = Position("job.yaml", 4, 1)
JobMaker = Callable[..., JobSpec]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 8, height: int = 8, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + b"\xff" * -(-width // 8) for _ in range(height)), 0)
    comment = chunk(b"tEXt", extra) if extra else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + comment + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def built(job: JobSpec, *rows: Row) -> list[Request]:
    return list(RequestBuilder(job, service="anthropic").requests(rows))


def row(number: int = 1, file: str = "rows.csv", **values: Any) -> Row:
    return Row(number, f"r{number}", values, Source(file, number + 1))


@pytest.fixture
def job(make_job: JobMaker, tmp_path: Path) -> Callable[..., JobSpec]:
    """`job({path: …}, …)`: a job with these items; files go into its folder."""
    (tmp_path / "a.png").write_bytes(png())

    def make(*items: dict[str, Any], **more: Any) -> JobSpec:
        fields = {"model": "claude-opus-5-5", "max_tokens": 100, "prompt": "What is this?"}
        more = {"run": RunSpec(reuse=Reuse(written=True)), **more}
        return make_job({**fields, "attachments": [{**item, "at": AT} for item in items]}, **more)

    return make


# ---------------------------------------------------------------- keys


def key_of(job: JobSpec, *rows: Row) -> str:
    (request,) = built(job, *(rows or (row(),)))
    assert request.problem is None, request.problem
    return request.key


def test_keys_are_made_of_content_not_of_paths(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (tmp_path / "copy of a.png").write_bytes(png())
    os.utime(tmp_path / "copy of a.png", (1, 1))
    assert key_of(job({"path": "a.png"})) == key_of(job({"path": "copy of a.png"}))
    (tmp_path / "b.png").write_bytes(png(9))
    assert key_of(job({"path": "a.png"})) != key_of(job({"path": "b.png"}))


def test_uploading_changes_no_key(job: Callable[..., JobSpec]) -> None:
    assert key_of(job({"path": "a.png"})) == key_of(job({"path": "a.png", "upload": True}))


def test_title_and_order_are_part_of_the_question(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("hello", encoding="utf-8")
    keys = {
        key_of(job({"path": "n.txt"})),
        key_of(job({"path": "n.txt", "title": "N"})),
        key_of(job({"path": "n.txt"}, {"path": "a.png"})),
        key_of(job({"path": "a.png"}, {"path": "n.txt"})),
    }
    assert len(keys) == 4


def test_keys_of_attachments_never_change_by_accident(job: Callable[..., JobSpec]) -> None:
    """Whoever changes this makes every answer ever paid for look new: raise `v` in prompts/key.py and say so."""
    made = key_of(job({"url": "https://example.com/a.png"}, {"text": "hello", "title": "T", "citations": True}))
    assert made == KEY_OF_URL_AND_TEXT
    assert key_of(job({"path": "a.png"})) == KEY_OF_FILE


KEY_OF_URL_AND_TEXT = "deaa80df794c4768d6e08b609d0284d751e479059916c268b0b11e53192c98e2"
KEY_OF_FILE = "eb596df593d9d54c4d7c87c2f222a56419ae565faab2a92e33633be602c2dd16"


# ---------------------------------------------------------------- bodies


def test_bytes_are_put_in_when_the_body_is_sent(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (request,) = built(job({"path": "a.png"}), row())
    assert b"iVBOR" not in request.body
    block, text = json.loads(whole_body(request))["messages"][0]["content"]
    assert base64.b64decode(block["source"]["data"]) == (tmp_path / "a.png").read_bytes()
    assert {**block["source"], "data": ""} == {"type": "base64", "media_type": "image/png", "data": ""}
    assert text == {"type": "text", "text": "What is this?"}


def test_a_text_is_sent_as_text_without_its_bom(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    (request,) = built(job({"path": "n.txt"}), row())
    source = json.loads(whole_body(request))["messages"][0]["content"][0]["source"]
    assert source == {"type": "text", "media_type": "text/plain", "data": "one\ntwo\n"}


def test_a_row_that_writes_like_a_placeholder_stays_text(make_job: JobMaker) -> None:
    text = '{"type":"promptrun_file","sha256":"x"}'
    (request,) = built(make_job(), row(text=text))
    assert json.loads(whole_body(request))["messages"][0]["content"] == f"Classify: {text}"


def test_a_file_that_changed_after_planning_stops_the_sending(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (request,) = built(job({"path": "a.png"}), row())
    stat = (tmp_path / "a.png").stat()
    changed = bytearray(png())
    changed[-1] ^= 1
    (tmp_path / "a.png").write_bytes(changed)
    os.utime(tmp_path / "a.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(SpecError, match="changed between planning and sending") as caught:
        whole_body(request)
    assert caught.value.problems[0].rule == "source-changed"
    (tmp_path / "a.png").unlink()
    with pytest.raises(SpecError, match="cannot be read any more"):
        whole_body(request)


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize("file", ["data/rows.csv", "rows.csv"])
def test_a_path_is_relative_to_the_file_that_wrote_it(
    file: str, make_job: JobMaker, tmp_path: Path, job: Callable[..., JobSpec]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(png(16))
    (tmp_path / file).write_text("image\na.png\n", encoding="utf-8")
    fields = {"model": "claude-opus-5-5", "max_tokens": 100, "prompt": "?"}
    from_row = make_job({**fields, "attachments": [{"value": "{{ image }}", "at": AT}]})
    from_spec = make_job({**fields, "attachments": [{"value": "{{ name }}.png", "at": AT}]})
    (mine,) = built(from_row, row(file=file, image="a.png"))
    (specs,) = built(from_spec, row(file=file, name="a"))
    assert mine.files[0].path == str((tmp_path / file).parent / "a.png")
    assert specs.files[0].path == str(tmp_path / "a.png")


@pytest.mark.skipif(os.name == "nt", reason="Windows makes links for administrators only")
def test_links_lead_nowhere_out_of_the_project(
    job: Callable[..., JobSpec], tmp_path_factory: Any, tmp_path: Path
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("hidden", encoding="utf-8")
    (tmp_path / "link.txt").symlink_to(secret)
    (request,) = built(job({"path": "link.txt"}), row())
    assert request.problem is not None
    assert request.problem.rule == "path-outside-root"


@pytest.mark.parametrize(
    "written", ["a\0.png", "\n.png", "//server/share/a.png", "C:/a.png", "con.png", " ", "a" * 5000]
)
def test_hostile_names_are_problems_of_their_row(written: str, make_job: JobMaker) -> None:
    fields = {"model": "claude-opus-5-5", "max_tokens": 100, "prompt": "?"}
    job = make_job({**fields, "attachments": [{"value": "{{ image }}", "at": AT}]})
    (request,) = built(job, row(image=written))
    assert request.problem is not None
    assert request.problem.rule in ("bad-path", "path-outside-root", "empty-text")


# ---------------------------------------------------------------- limits of a request


def problem_of(job: JobSpec) -> Any:
    (request,) = built(job, row())
    assert request.problem is not None
    return request.problem


def test_an_image_of_more_than_10_mb_of_base64(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (tmp_path / "big.png").write_bytes(png(extra=os.urandom(8 * 1024 * 1024)))
    problem = problem_of(job({"path": "big.png"}))
    assert (problem.rule, problem.where) == ("media-too-large", AT)
    assert "10.7 MB as base64; an image may have 10 MB" in problem.what
    assert key_of(job({"path": "big.png", "upload": True})), "an uploaded file is in no body"


def test_many_images_have_to_be_smaller(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(png(2001, 1))
    wide = [{"path": "wide.png"}]
    assert key_of(job(*wide * 20))
    assert "2,001 × 1 pixels; beside 20 other images a side may have 2,000" in problem_of(job(*wide * 21)).what


def test_at_most_600_images(job: Callable[..., JobSpec]) -> None:
    urls = [{"url": f"https://example.com/{n}.png"} for n in range(601)]
    assert key_of(job(*urls[:600]))
    assert "601 images; one may have 600" in problem_of(job(*urls)).what


@pytest.mark.parametrize(
    ("model", "most"), [("claude-haiku-4-5", 100), ("claude-opus-4-5-20251101", 100), ("mine", 600)]
)
def test_models_with_a_small_window_take_fewer(
    job: Callable[..., JobSpec], tmp_path: Path, model: str, most: int
) -> None:
    def of_model(spec: JobSpec) -> JobSpec:
        (cell,) = spec.cells
        return replace(spec, cells=(replace(cell, fields={**cell.fields, "model": model}),))

    urls = [{"url": f"https://example.com/{n}.png"} for n in range(most + 1)]
    assert key_of(of_model(job(*urls[:most])))
    assert f"may have {most}" in problem_of(of_model(job(*urls))).what
    (tmp_path / "p.pdf").write_bytes(b"%PDF-1.4\n" + b"<< /Type /Page >>\n" * 101)
    with_pages = of_model(job({"path": "p.pdf"}))
    assert ("101 pages" in problem_of(with_pages).what) if most == 100 else key_of(with_pages)


@pytest.mark.parametrize(("provider", "most"), [("bedrock", 20), ("vertex", 30), ("foundry", 32)])
def test_other_providers_take_smaller_requests(
    job: Callable[..., JobSpec], tmp_path: Path, provider: str, most: int
) -> None:
    (tmp_path / "fits.pdf").write_bytes(b"%PDF-1.4\n" + bytes((most * 2**20 - 2000) // 4 * 3))
    (tmp_path / "large.pdf").write_bytes(b"%PDF-1.4\n" + bytes(most * 2**20 // 4 * 3))
    client = ClientSpec(provider)
    assert key_of(job({"path": "fits.pdf"}, client=client))
    assert f"it may have {most} MB" in problem_of(job({"path": "large.pdf"}, client=client)).what


def test_at_most_600_pages_together(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (tmp_path / "p.pdf").write_bytes(b"%PDF-1.4\n" + b"<< /Type /Page >>\n" * 301)
    assert key_of(job({"path": "p.pdf"}))
    assert "602 pages together" in problem_of(job({"path": "p.pdf"}, {"path": "p.pdf"})).what


def test_a_body_of_more_than_32_mb(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    (tmp_path / "half.pdf").write_bytes(b"%PDF-1.4\n" + bytes(PROVIDERS["anthropic"].max_body // 2))
    assert "43 MB; it may have 32 MB" in problem_of(job(*[{"path": "half.pdf"}] * 2)).what
    assert key_of(job(*[{"path": "half.pdf", "upload": True}] * 2))


# ---------------------------------------------------------------- memory


def test_a_plan_over_thousands_of_images_holds_none_of_them(job: Callable[..., JobSpec], tmp_path: Path) -> None:
    """1,000 requests over 20 pictures of 1 MB each: the files are read once, and 1.3 GB of base64 never made."""
    for n in range(20):
        (tmp_path / f"p{n}.png").write_bytes(png(extra=bytes([n]) * 1_000_000))
    spec = job({"path": "{{ picture }}"})
    rows = (row(n, picture=f"p{n % 20}.png", again=n) for n in range(1_000))
    ledger = PlanLedger()
    tracemalloc.start()
    try:
        plan = ledger.add(RequestBuilder(spec, service="anthropic").requests(rows), cells=1, repeat=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        ledger.close()
    assert (plan.requests, plan.bad, plan.identical) == (1_000, 0, 980)
    assert peak < 16 * 1024 * 1024
