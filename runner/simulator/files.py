"""The Files API's memory: what was uploaded, and which requests may refer to it.

https://platform.claude.com/docs/en/build-with-claude/files and `types/file_metadata.py` of SDK 2.12.0. Ids follow from
the content and a count, so that two uploads of one file are two files. Guesses: uploads cannot be downloaded (only what
tools make can, say the documents), all error wordings, and that a message naming an unknown file is a 404."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from runner.simulator.errors import Rejected, not_found
from runner.simulator.limits import timestamp
from runner.simulator.validate_media import IMAGE_TYPES, check_image, media_type_of

LARGEST_BYTES = 500 * 1024 * 1024
FORBIDDEN = '<>:"|?*\\/'
DOCUMENT_TYPES = ("application/pdf", "text/plain")


@dataclass(frozen=True)
class File:
    """One upload. created, expires: seconds since 1970."""

    id: str
    name: str
    media_type: str
    data: bytes
    created: float
    expires: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "file",
            "id": self.id,
            "filename": self.name,
            "mime_type": self.media_type,
            "size_bytes": len(self.data),
            "created_at": timestamp(self.created),
            "downloadable": False,
            "expires_at": None if self.expires is None else timestamp(self.expires),
        }


class Files:
    """Every file that was uploaded and not deleted, newest first. clock: seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._files: dict[str, File] = {}
        self._count = 0

    def add(self, name: str, media_type: str, data: bytes, seconds: int | None) -> File:
        """Store an upload; raises Rejected for a name the API refuses."""
        name = name.replace("\\", "/").rpartition("/")[2] or "unnamed"
        if len(name) > 255 or any(character in FORBIDDEN or ord(character) < 32 for character in name):
            raise Rejected("file: Filename must be 1-255 characters and not contain forbidden characters")
        self._count += 1
        now = self._clock()
        digest = hashlib.blake2b(data, digest_size=6).hexdigest()
        found = media_type_of(data) or media_type or "application/octet-stream"
        expires = None if seconds is None else now + seconds
        file = File(f"file_sim_{digest}{self._count:06x}", name, found, data, now, expires)
        self._files[file.id] = file
        return file

    def get(self, id: str) -> File:
        """The file, or Rejected 404."""
        file = self._files.get(id)
        if file is None or (file.expires is not None and file.expires <= self._clock()):
            raise not_found(f"File not found: {id}")
        return file

    def delete(self, id: str) -> dict[str, Any]:
        self.get(id)
        del self._files[id]
        return {"id": id, "type": "file_deleted"}

    def page(self, limit: int, after: str | None, ids: list[str]) -> dict[str, Any]:
        """One page of the list; `ids` restricts it to those. after: a `next_page` given before."""
        files = [file for file in reversed(self._files.values()) if not ids or file.id in ids]
        if ids:
            return {"data": [file.to_json() for file in files], "has_more": False, "next_page": None}
        first = _place(after)
        chosen = files[first : first + limit]
        more = first + limit < len(files)
        cursor = f"page_{first + limit}" if more else None
        return {
            "data": [file.to_json() for file in chosen],
            "has_more": more,
            "first_id": chosen[0].id if chosen else None,
            "last_id": chosen[-1].id if chosen else None,
            "next_page": cursor,
        }

    def check(self, body: dict[str, Any]) -> None:
        """Every file a validated body refers to exists and is what its block says."""
        for path, block in _references(body):
            file = self.get(block["source"]["file_id"])
            if block["type"] == "image":
                if file.media_type not in IMAGE_TYPES:
                    raise Rejected(f"{path}: Invalid file type: an image block cannot hold {file.media_type}")
                check_image(f"{path}.source.file", file.data, file.media_type, len(file.data))
            elif file.media_type not in DOCUMENT_TYPES:
                raise Rejected(f"{path}: Invalid file type: a document block cannot hold {file.media_type}")


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    number = cursor.removeprefix("page_")
    if not (cursor.startswith("page_") and number.isascii() and number.isdigit()):
        raise Rejected("page: Invalid page cursor")
    return int(number)


def _references(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, message in enumerate(body["messages"]):
        if isinstance(message["content"], str):
            continue
        for index, block in enumerate(message["content"]):
            if block["type"] in ("image", "document") and block["source"]["type"] == "file":
                yield f"messages.{number}.content.{index}.{block['type']}", block
