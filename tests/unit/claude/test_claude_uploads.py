"""Files on their way: a content is uploaded once, an id that is gone is replaced once, failures are the attempt's."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scripted_server import MESSAGE, a_request, error_body, http, opened, serving

from runner.claude.uploads import FileSender, upload_name
from runner.errors import SpecError
from runner.records import AttachedFile, Failure, Outcome, Reply, Request

METADATA = {
    "id": "file_1", "type": "file", "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 5,
    "created_at": "2026-11-22T00:00:00Z",
}  # fmt: skip


def attached(path: Path, *, upload: bool = True) -> AttachedFile:
    data = path.read_bytes()
    return AttachedFile(hashlib.sha256(data).hexdigest(), str(path), path.name, "text/plain", len(data), upload)


def ids_as_body(request: Request, ids: Mapping[str, str]) -> bytes:
    """Stands in for the real body: what FileSender has to say about it are its ids."""
    return json.dumps(sorted(ids.values())).encode()


@pytest.fixture
def file(tmp_path: Path) -> AttachedFile:
    (tmp_path / "a.txt").write_text("hello", encoding="utf-8")
    return attached(tmp_path / "a.txt")


def send(
    file: AttachedFile, *answers: bytes, times: int = 1, ids: dict[str, str] | None = None
) -> tuple[list[Outcome], Any, list[str]]:
    """(outcomes of so many requests at once, the server, the ids that were remembered)."""
    remembered: list[str] = []

    async def run() -> tuple[list[Outcome], Any]:
        async with serving(*answers) as server, opened(server.url, concurrency=4) as client:
            sender = FileSender(client, ids_as_body, ids or {}, lambda file, id: remembered.append(id))
            requests = [a_request(n=n, files=(file,)) for n in range(times)]
            return list(await asyncio.gather(*map(sender.send, requests))), server

    outcomes, server = asyncio.run(run())
    return outcomes, server, remembered


def test_one_content_is_uploaded_once_for_requests_that_come_together(file: AttachedFile) -> None:
    outcomes, server, remembered = send(file, http(200, METADATA), http(200, MESSAGE), times=4)
    assert all(isinstance(outcome, Reply) for outcome in outcomes)
    assert [one.line.split()[1] for one in server.received] == ["/v1/files", *["/v1/messages"] * 4]
    assert [one.body for one in server.received[1:]] == [b'["file_1"]'] * 4
    assert remembered == ["file_1"]


def test_the_upload_carries_the_bytes_their_type_and_a_safe_name(file: AttachedFile) -> None:
    _, server, _ = send(file, http(200, METADATA), http(200, MESSAGE))
    sent = server.received[0]
    assert b'filename="a.txt"' in sent.body
    assert b"Content-Type: text/plain\r\n\r\nhello\r\n" in sent.body


def test_a_known_id_is_used_without_an_upload(file: AttachedFile) -> None:
    _, server, remembered = send(file, http(200, MESSAGE), ids={file.sha256: "file_0"})
    assert [one.body for one in server.received] == [b'["file_0"]']
    assert remembered == []


def test_an_id_that_is_gone_is_replaced_once(file: AttachedFile) -> None:
    gone = http(404, error_body("not_found_error", "File not found: file_0"))
    (outcome,), server, remembered = send(
        file, gone, http(200, METADATA), http(200, MESSAGE), ids={file.sha256: "file_0"}
    )
    assert isinstance(outcome, Reply)
    assert [one.line.split()[1] for one in server.received] == ["/v1/messages", "/v1/files", "/v1/messages"]
    assert remembered == ["file_1"]


def test_an_id_that_is_gone_twice_fails_the_request(file: AttachedFile) -> None:
    gone = http(404, error_body("not_found_error", "File not found", "file_expired"))
    (outcome,), server, _ = send(file, gone, http(200, METADATA), gone, ids={file.sha256: "file_0"})
    assert isinstance(outcome, Failure)
    assert outcome.scope == "request"
    assert len(server.received) == 3


def test_a_model_that_is_not_there_uploads_nothing_again(file: AttachedFile) -> None:
    missing = http(404, error_body("not_found_error", "model: claude-nothing-1"))
    (outcome,), server, _ = send(file, missing, ids={file.sha256: "file_0"})
    assert isinstance(outcome, Failure)
    assert outcome.kind == "model_not_found"
    assert len(server.received) == 1


def test_a_refused_upload_is_the_attempts_failure_and_was_not_billed(file: AttachedFile) -> None:
    slow_down = http(429, error_body("rate_limit_error", "slow down"), headers={"retry-after": "3"})
    (outcome,), server, remembered = send(file, slow_down)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.retry_after, outcome.maybe_billed) == ("rate_limited", 3, False)
    assert outcome.message == "uploading `a.txt`: slow down"
    assert (len(server.received), remembered) == (1, [])


def test_a_file_that_changed_is_not_uploaded(file: AttachedFile) -> None:
    Path(file.path).write_text("hellO", encoding="utf-8")
    with pytest.raises(SpecError, match="changed between planning and sending"):
        send(file, http(200, METADATA))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("a.pdf", "a.pdf"),
        ('we"ird|na?me*.pdf', "we_ird_na_me_.pdf"),
        ("x" * 240 + ".pdf", "x" * 196 + ".pdf"),
        (" ", "file"),
    ],
)
def test_names_that_the_files_api_takes(name: str, sent: str) -> None:
    assert upload_name(AttachedFile("0" * 64, f"/project/{name}", name, "application/pdf", 1)) == sent
