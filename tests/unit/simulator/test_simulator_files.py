"""The Files API over a real socket, and attachments against literals."""

# ruff: noqa: E501 - a change and its message read best on one line
from __future__ import annotations

import asyncio
import base64

import aiohttp
import orjson
import pytest

from runner.simulator import Simulator
from runner.simulator.errors import Rejected
from runner.simulator.files import Files
from runner.simulator.validate import check_create
from runner.simulator.validate_media import media_type_of, page_count, pixels

HEADERS = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (3).to_bytes(4, "big") + (2).to_bytes(4, "big")
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0", b"GIF89a\x03\x00\x02\x00", b"RIFF\0\0\0\0WEBP"
PDF = b"%PDF-1.7 /Type /Pages /Type /Page /Type/Page"
EPOCH = 1_795_348_800.0


class Clock:
    now = EPOCH

    def __call__(self):
        return self.now


def with_session(body, clock=None):
    async def run():
        async with (
            Simulator(clock=clock or Clock()) as simulator,
            aiohttp.ClientSession(simulator.url, headers=HEADERS) as session,
        ):
            return await body(session)

    return asyncio.run(run())


async def call(session, method, path, **arguments):
    async with session.request(method, path, **arguments) as reply:
        return reply.status, orjson.loads(await reply.read())


async def upload(session, data=PDF, name="a.pdf", type="application/pdf", **fields):
    form = aiohttp.FormData(quote_fields=False)
    for field, value in fields.items():
        form.add_field(field, value)
    form.add_field("file", data, filename=name, content_type=type)
    return await call(session, "POST", "/v1/files", data=form)


def error_of(answer):
    status, body = answer
    return status, body["error"]["type"], body["error"]["message"]


def test_an_upload_is_kept_until_it_is_deleted():
    async def body(session):
        status, file = await upload(session)
        path = f"/v1/files/{file['id']}"
        assert status == 200
        assert await call(session, "GET", path) == (200, file)
        assert await call(session, "DELETE", path) == (200, {"id": file["id"], "type": "file_deleted"})
        assert error_of(await call(session, "GET", path)) == (404, "not_found_error", f"File not found: {file['id']}")
        assert error_of(await call(session, "DELETE", path))[0] == 404
        return file

    file = with_session(body)
    assert file.pop("id").startswith("file_sim_")
    assert file == {
        "type": "file", "filename": "a.pdf", "mime_type": "application/pdf", "size_bytes": 44, "downloadable": False,
        "created_at": "2026-11-22T12:00:00Z", "expires_at": None,
    }  # fmt: skip


def test_every_upload_is_a_file_of_its_own_and_the_list_has_pages():
    async def body(session):
        ids = [(await upload(session))[1]["id"] for _ in range(5)]
        assert len(set(ids)) == 5
        _, first = await call(session, "GET", "/v1/files?limit=3")
        _, second = await call(session, "GET", f"/v1/files?limit=3&page={first['next_page']}")
        assert [file["id"] for file in first["data"] + second["data"]] == ids[::-1]
        assert (first["has_more"], second["has_more"], second["next_page"]) == (True, False, None)
        _, some = await call(session, "GET", "/v1/files", params=[("ids[]", ids[1]), ("ids[]", "file_x")])
        assert [file["id"] for file in some["data"]] == [ids[1]]

    with_session(body)


def test_uploads_expire_and_cannot_be_downloaded():
    clock = Clock()

    async def body(session):
        _, file = await upload(session, expires_in_seconds="3600")
        assert file["expires_at"] == "2026-11-22T13:00:00Z"
        path = f"/v1/files/{file['id']}/content"
        status, kind, message = error_of(await call(session, "GET", path))
        assert (status, kind, message) == (400, "invalid_request_error", f"File {file['id']} is not downloadable.")
        clock.now += 3600
        return error_of(await call(session, "GET", path))[0]

    assert with_session(body, clock) == 404


def test_wrong_uploads():
    async def body(session):
        answers = [
            await call(session, "POST", "/v1/files", json={}),
            await call(session, "POST", "/v1/files", data=aiohttp.FormData({"x": "y"}, default_to_multipart=True)),
            await upload(session, expires_in_seconds="60"),
            await upload(session, name="a|b.pdf"),
            await call(session, "GET", "/v1/files?page=3"),
            await call(session, "PUT", "/v1/files"),
            await call(session, "GET", "/v1/files/a/b"),
        ]
        return [error_of(answer) for answer in answers]

    wrong = "invalid_request_error"
    assert with_session(body) == [
        (400, wrong, "Content-Type must be multipart/form-data"),
        (400, wrong, "file: Field required"),
        (400, wrong, "expires_in_seconds: Input should be greater than or equal to 3600"),
        (400, wrong, "file: Filename must be 1-255 characters and not contain forbidden characters"),
        (400, wrong, "page: Invalid page cursor"),
        (405, wrong, "Method Not Allowed"),
        (404, "not_found_error", "Not Found"),
    ]


def asks(kind, file_id):
    block = {"type": kind, "source": {"type": "file", "file_id": file_id}}
    return {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": [block]}]}


def test_messages_may_only_name_files_that_are_there_and_fit():
    async def body(session):
        pdf, png = (await upload(session))[1]["id"], (await upload(session, PNG, "a.png", "image/png"))[1]["id"]
        good = [
            await call(session, "POST", "/v1/messages", json=asks(*pair))
            for pair in (("document", pdf), ("image", png))
        ]
        assert [status for status, _ in good] == [200, 200]
        bad = [("image", pdf), ("document", png), ("document", "file_x")]
        return [error_of(await call(session, "POST", "/v1/messages", json=asks(*pair))) for pair in bad]

    assert with_session(body) == [
        (400, "invalid_request_error", "messages.0.content.0.image: Invalid file type: an image block cannot hold application/pdf"),
        (400, "invalid_request_error", "messages.0.content.0.document: Invalid file type: a document block cannot hold image/png"),
        (404, "not_found_error", "File not found: file_x"),
    ]  # fmt: skip


def test_a_path_in_a_filename_is_cut_off():
    files = Files(Clock())
    assert [files.add(name, "", b"", None).name for name in ("/etc/x.txt", "C:\\a\\b.pdf", "")] == [
        "x.txt", "b.pdf", "unnamed",
    ]  # fmt: skip


def encoded(data):
    return base64.b64encode(data).decode()


def image(data=PNG, media_type="image/png"):
    text = data if isinstance(data, str) else encoded(data)
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": text}}


def pdf(data=PDF, **more):
    source = {"type": "base64", "media_type": "application/pdf", "data": encoded(data)}
    return {"type": "document", "source": source, **more}


def wide(width):
    return PNG[:16] + width.to_bytes(4, "big") + PNG[20:]


TEXT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
CITED = {**TEXT, "citations": {"enabled": True}}
REJECTED = [
    ([{"type": "image", "source": "x"}], "messages.0.content.0.image.source: Input should be a valid dictionary"),
    (
        [{"type": "image", "source": {"type": "path"}}],
        "messages.0.content.0.image.source: Input tag 'path' found using 'type' does not match any of the expected tags: "
        "'base64', 'file', 'url'",
    ),
    (
        [{"type": "document", "source": {"type": "path"}}],
        "messages.0.content.0.document.source: Input tag 'path' found using 'type' does not match any of the expected "
        "tags: 'base64', 'content', 'file', 'text', 'url'",
    ),
    ([{"type": "image", "source": {"type": "base64", "data": ""}}], "messages.0.content.0.image.source.base64.media_type: Field required"),
    ([{"type": "image", "source": {"type": "url", "url": 5}}], "messages.0.content.0.image.source.url.url: Input should be a valid string"),
    ([{"type": "image", "source": {"type": "url", "url": "http://x"}}], "messages.0.content.0.image.source.url: Only HTTPS URLs are supported."),
    ([{"type": "image", "source": {"type": "file", "file_id": "f", "x": 1}}], "messages.0.content.0.image.source.file.x: Extra inputs are not permitted"),
    (
        [image(media_type="image/tiff")],
        "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or "
        "'image/webp'",
    ),
    ([image("!!")], "messages.0.content.0.image.source.base64: invalid base64 data"),
    ([image(b"nonsense")], "Could not process image"),
    (
        [image(JPEG)],
        "messages.0.content.0.image.source.base64.data: The image was specified using the image/png media type, but the "
        "image appears to be a image/jpeg image",
    ),
    (
        [image(PNG + bytes(8_000_000))],
        "messages.0.content.0.image.source.base64: image exceeds 10 MB maximum: 10666700 bytes > 10485760 bytes",
    ),
    (
        [image(wide(8001))],
        "messages.0.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size: "
        "8000 pixels",
    ),
    (
        [image(wide(2001))] * 21,
        "messages.0.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size for "
        "many-image requests: 2000 pixels",
    ),
    ([pdf(b"<html>")], "messages.0.content.0.pdf.source.base64.data: The PDF specified was not valid."),
    ([pdf(b"%PDF-" + b"/Type /Page " * 601)], "messages.0.content.0.pdf.source.base64.data: A maximum of 600 PDF pages may be provided."),
    (
        [{"type": "document", "source": {"type": "text", "media_type": "text/html", "data": "x"}}],
        "messages.0.content.0.document.source.text.media_type: Input should be 'text/plain'",
    ),
    ([{**TEXT, "citations": []}], "messages.0.content.0.document.citations: Input should be a valid dictionary"),
    ([CITED, TEXT], "messages: citations must be enabled on all documents or on none of them"),
]  # fmt: skip


def check(blocks, **change):
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": blocks}]}
    check_create({**body, **change}, version="2026-10-21")


@pytest.mark.parametrize(("blocks", "message"), REJECTED)
def test_a_wrong_attachment_is_rejected_in_the_api_s_words(blocks, message):
    with pytest.raises(Rejected) as caught:
        check(blocks)
    assert caught.value.message == message


def test_small_contexts_take_fewer_pages():
    blocks = [pdf(b"%PDF-" + b"/Type /Page " * 101)]
    check(blocks)
    with pytest.raises(Rejected, match="A maximum of 100 PDF pages may be provided"):
        check(blocks, model="claude-haiku-4-5")


def test_citations_and_an_output_format_exclude_each_other():
    form = {"format": {"type": "json_schema", "schema": {"type": "boolean"}}}
    with pytest.raises(Rejected, match=r"^output_config\.format: structured outputs are not supported when citations"):
        check([CITED], output_config=form)
    check([TEXT], output_config=form)


@pytest.mark.parametrize(
    "block",
    [image(), image(JPEG, "image/jpeg"), image(GIF, "image/gif"), image(WEBP, "image/webp"), pdf(), TEXT, CITED,
     {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}, pdf(title="t", context="c"),
     {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}}],
)  # fmt: skip
def test_right_attachments_pass(block):
    check([block])
    check([{"type": "text", "text": "q"}, block])


def test_what_is_read_from_a_file():
    assert [media_type_of(data) for data in (PNG, JPEG, GIF, WEBP, PDF, b"")] == [
        "image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", None,
    ]  # fmt: skip
    assert (pixels(PNG), pixels(GIF), pixels(JPEG)) == ((3, 2), (3, 2), (0, 0))
    assert (page_count(PDF), page_count(b"%PDF-")) == (2, 1)
