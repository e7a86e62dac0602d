"""Requests that name files: the files are put in place when a request is sent, and uploaded where the job says so.

Each distinct content is uploaded once, before its first use, however many requests name it; its id is remembered. An id
that the API no longer knows is replaced once by a new upload. Never chooses what is attached.
https://platform.claude.com/docs/en/build-with-claude/files (uploads are free; 500 MB a file)
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic

from runner.claude.client import Client, http_timeout
from runner.claude.transport import failure_of_exception
from runner.claude.within import Within
from runner.errors import SpecError
from runner.records import AttachedFile, Began, Failure, Outcome, Request

WholeBody = Callable[[Request, Mapping[str, str]], bytes]
_REFUSED_IN_NAMES = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_LONGEST_NAME = 200


@dataclass
class FileSender:
    """Sends requests, with files in place of their hashes.

    whole_body: the body with bytes or ids in it; it may read files and runs in a thread. ids: sha256 → file id, of
    earlier sittings at first. remember: called for each new id, before it is used.
    """

    client: Client
    whole_body: WholeBody
    ids: dict[str, str] = field(default_factory=dict)
    remember: Callable[[AttachedFile, str], None] = lambda file, id: None
    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def send(self, request: Request, began: Began | None = None) -> Outcome:
        """One attempt; what it raises is a file that changed (SpecError), or an output that cannot be written."""
        if not request.files:
            return await self.client.send(request, began)
        used, outcome = await self._send(request, began)
        if not _names_no_file(outcome) or not used:
            return outcome
        for sha256, id in used.items():  # another request may have replaced it meanwhile
            if self.ids.get(sha256) == id:
                del self.ids[sha256]
        return (await self._send(request, began))[1]

    async def _send(self, request: Request, began: Began | None) -> tuple[dict[str, str], Outcome]:
        """(the ids that went out, what came back)."""
        used: dict[str, str] = {}
        for file in request.files:
            if file.upload:
                found = await self._id_of(file)
                if isinstance(found, Failure):
                    return {}, found
                used[file.sha256] = found
        body = await asyncio.to_thread(self.whole_body, request, used)
        return used, await self.client.send(replace(request, body=body), began)

    async def _id_of(self, file: AttachedFile) -> str | Failure:
        async with self.locks[file.sha256]:
            known = self.ids.get(file.sha256)
            if known is not None:
                return known
            made = await upload(self.client, file)
            if isinstance(made, str):
                self.remember(file, made)
                self.ids[file.sha256] = made
            return made


async def upload(client: Client, file: AttachedFile) -> str | Failure:
    """The new file's id. Raises SpecError when the file is gone or another one. An upload costs nothing."""
    sdk: AsyncAnthropic = client.sdk
    try:
        data: Any = await asyncio.to_thread(_checked, file)
        with data:
            async with Within(client.timeout.total):
                made = await sdk.files.upload(
                    file=(upload_name(file), data, file.media_type), timeout=http_timeout(client.timeout)
                )
    except TimeoutError:
        return Failure("timeout", f"`{file.shown}` was not uploaded within {client.timeout.total:g} s")
    except SpecError:
        raise
    except Exception as error:
        failure = failure_of_exception(error, now=time.time(), secrets=client.secrets)
        return replace(failure, message=f"uploading `{file.shown}`: {failure.message}", maybe_billed=False)
    return made.id


def _checked(file: AttachedFile) -> Any:
    """The open file, once its content is known to be what was planned."""
    try:
        data = Path(file.path).open("rb")  # noqa: SIM115 - the caller closes it
        digest = hashlib.file_digest(data, "sha256").hexdigest()
        data.seek(0)
    except OSError as error:
        raise _changed(file, f"cannot be read any more: {error.strerror}") from None
    if digest != file.sha256:
        data.close()
        raise _changed(file, "changed between planning and sending")
    return data


def _changed(file: AttachedFile, what: str) -> SpecError:
    step = "let whatever writes it finish, then run again: nothing that was answered is lost"
    return SpecError(f"`{file.shown}` {what}", next=step, rule="source-changed")


def upload_name(file: AttachedFile) -> str:
    """The file's own name, without the characters that the Files API refuses in one."""
    name = _REFUSED_IN_NAMES.sub("_", Path(file.path).name).strip()
    return name[-_LONGEST_NAME:] or "file"


def _names_no_file(outcome: Outcome) -> bool:
    """A 404 that is not about the model: a file was deleted or has expired."""
    return isinstance(outcome, Failure) and outcome.http_status == 404 and outcome.kind == "invalid_request"
