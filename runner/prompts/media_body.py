"""A request's body as it is sent: files in place of their hashes.

Reads each file when its request is about to be sent and keeps nothing; a file that is no longer what was planned stops
the run. Runs in a thread: reading and encoding 10 MB takes some hundredths of a second.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from runner.errors import SpecError
from runner.prompts.media_source import FILE
from runner.records import AttachedFile, Json, Request
from runner.spec import media


def whole_body(request: Request, file_ids: Mapping[str, str] | None = None) -> bytes:
    """The body for the API. file_ids: sha256 → id of uploaded files; without an id, `sha256:…` stands for one.

    Raises SpecError `source-changed` when a file is gone or another one.
    """
    if not request.files:
        return request.body
    body = orjson.loads(request.body)
    sources = {file.sha256: _Source(file, (file_ids or {}).get(file.sha256)) for file in request.files}
    for message in body["messages"]:
        if isinstance(message["content"], list):
            for block in message["content"]:
                _fill(block, sources)
    return orjson.dumps(body)


class _Source:
    """The source of one file, made at most once a body, though it may be attached twice."""

    def __init__(self, file: AttachedFile, file_id: str | None) -> None:
        self._file, self._file_id = file, file_id
        self._made: dict[str, Json] | None = None

    def __call__(self) -> dict[str, Json]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> dict[str, Json]:
        file = self._file
        if file.upload:
            return {"type": "file", "file_id": self._file_id or f"sha256:{file.sha256}"}
        data = content_of(file)
        if file.media_type == media.TEXT:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
            return {"type": "text", "media_type": media.TEXT, "data": text}
        encoded = orjson.Fragment(b'"' + base64.b64encode(data) + b'"')
        return {"type": "base64", "media_type": file.media_type, "data": encoded}


def _fill(block: dict[str, Any], sources: Mapping[str, _Source]) -> None:
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") == FILE:
        block["source"] = sources[source["sha256"]]()


def content_of(file: AttachedFile) -> bytes:
    """The file's bytes, those that were planned. Raises SpecError."""
    try:
        data = Path(file.path).read_bytes()
    except OSError as error:
        raise changed(file, f"cannot be read any more: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise changed(file, "changed between planning and sending")
    return data


def changed(file: AttachedFile, what: str) -> SpecError:
    step = "let whatever writes it finish, then run again: nothing that was answered is lost"
    return SpecError(f"`{file.shown}` {what}", next=step, rule="source-changed")
