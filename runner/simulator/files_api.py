"""The Files API's paths: upload, list, retrieve, delete, content.

https://platform.claude.com/docs/en/api/files-create and the others beside it; `files` keeps what was sent."""

from __future__ import annotations

from aiohttp import BodyPartReader

from runner.simulator.errors import Rejected, method_not_allowed, not_found
from runner.simulator.files import LARGEST_BYTES, Files
from runner.simulator.wire import Wire

LEAST_SECONDS, MOST_SECONDS = 3600, 7_776_000


async def answer_files(wire: Wire, files: Files, limit: int) -> None:
    """Any path under /v1/files. limit: of the list, checked by the caller."""
    rest = wire.entry.path.removeprefix("/v1/files").strip("/")
    method = wire.entry.method
    if not rest and method == "POST":
        await _upload(wire, files)
    elif not rest and method == "GET":
        query = wire.request.query
        await wire.json(files.page(limit, query.get("page"), [*query.getall("ids[]", []), *query.getall("ids", [])]))
    elif rest.endswith("/content") and rest.count("/") == 1:
        _content(files, rest.removesuffix("/content"), method)
    elif not rest or "/" in rest:
        raise not_found() if rest else method_not_allowed("GET, POST")
    elif method == "DELETE":
        await wire.json(files.delete(rest))
    elif method == "GET":
        await wire.json(files.get(rest).to_json())
    else:
        raise method_not_allowed("DELETE, GET")


def _content(files: Files, id: str, method: str) -> None:
    """Uploads are never downloadable (https://platform.claude.com/docs/en/build-with-claude/files#downloading-a-file)."""
    if method != "GET":
        raise method_not_allowed("GET")
    files.get(id)
    raise Rejected(f"File {id} is not downloadable.", error_code="file_not_downloadable")


async def _upload(wire: Wire, files: Files) -> None:
    if not wire.request.content_type.startswith("multipart/form-data"):
        raise Rejected("Content-Type must be multipart/form-data")
    name, media_type, data, seconds = "", "", None, None
    try:
        async for part in await wire.request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.name == "file":
                name, media_type = part.filename or "", part.headers.get("Content-Type", "")
                data = await _read(part)
            elif part.name == "expires_in_seconds":
                seconds = _seconds((await part.read()).decode("utf-8", "replace"))
    except ValueError as error:
        raise Rejected(f"The request body is not valid multipart/form-data: {error}") from None
    if data is None:
        raise Rejected("file: Field required")
    await wire.json(files.add(name, media_type, data, seconds).to_json())


async def _read(part: BodyPartReader) -> bytes:
    """The whole part; what is over the limit is read and thrown away."""
    size, chunks = 0, []
    while chunk := await part.read_chunk(1 << 20):
        size += len(chunk)
        if size <= LARGEST_BYTES:
            chunks.append(chunk)
    if size > LARGEST_BYTES:
        raise Rejected("File exceeds the maximum size of 500 MB", status=413, type="request_too_large")
    return b"".join(chunks)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Rejected("expires_in_seconds: Input should be a valid integer, unable to parse string as an integer")
    if not LEAST_SECONDS <= int(text) <= MOST_SECONDS:
        low = int(text) < LEAST_SECONDS
        side = f"greater than or equal to {LEAST_SECONDS}" if low else f"less than or equal to {MOST_SECONDS}"
        raise Rejected(f"expires_in_seconds: Input should be {side}")
    return int(text)
