"""A server that is not the simulator works through ANTHROPIC_BASE_URL, with no change to the spec."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from harness import SPECS, Behaviour, Command, HandServer, json_lines, message, numbered, read_lines, write_job


def test_what_is_sent_is_what_render_shows(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    environment = hand_server.environment()
    rendered = json_lines(promptrun.ok("render", SPECS / "conversation.yaml", env=environment))
    promptrun.ok(SPECS / "conversation.yaml", "--output-dir", tmp_path, env=environment)

    assert in_any_order(hand_server.bodies) == in_any_order([line["body"] for line in rendered])
    assert {headers["anthropic-version"] for headers in hand_server.headers} != {""}
    assert all("not-a-real-key" in str(headers) for headers in hand_server.headers)


def in_any_order(bodies: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(body, sort_keys=True) for body in bodies)


def test_its_answers_are_the_results(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: message(body, f"heard {body['messages'][-1]['content']!r}")
    printed = promptrun.ok(SPECS / "capitals.yaml", "--output-dir", tmp_path, env=hand_server.environment())
    folder = Path(printed.strip())
    results = read_lines(folder / "results.jsonl")

    assert folder.parent.resolve() == (tmp_path / "capitals").resolve(), "real answers do not lie under simulated/"
    assert len(results) == 21
    assert all("heard" in line["text"] and not line["simulated"] for line in results)
    assert "Austria" in results[0]["text"]
    assert "South Africa" in results[-1]["text"]
    assert results[0]["calls"][0]["attempts"][0]["request_id"] == "req_hand_written"


def test_no_credential_is_written_anywhere(process: Command, hand_server: HandServer, tmp_path: Path) -> None:
    done = process(SPECS / "capitals.yaml", "--limit", "1", "--output-dir", tmp_path, env=hand_server.environment())
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(b"not-a-real-key" in content for content in written)
    assert "not-a-real-key" not in done.stdout + done.stderr


# ---------------------------------------------------------------- habits of other servers


def replied(status: int, headers: Mapping[str, str], content: bytes) -> Behaviour:
    return lambda server, body, n: (status, headers, content)


MESSAGE = message({"model": "claude-haiku-5-5"})[2]


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"x-of-a-gateway": "a" * 12_000}, MESSAGE),
        ({f"x-{n}": "a" for n in range(300)}, MESSAGE),
        ({"content-encoding": "gzip"}, gzip.compress(MESSAGE)),
        ({"content-type": "text/plain"}, b"\xef\xbb\xbf" + MESSAGE),
        ({"content-encoding": "gzip"}, MESSAGE),
        ({}, json.dumps({**json.loads(MESSAGE), "model": 7, "id": None, "cost": 1}).encode()),
    ],
    ids=["long header", "many headers", "gzip", "byte order mark", "only called gzip", "odd fields"],
)
def test_a_paid_reply_is_kept_whatever_it_is_wrapped_in(
    promptrun: Command, hand_server: HandServer, tmp_path: Path, headers: Mapping[str, str], content: bytes
) -> None:
    hand_server.behaviour = replied(200, headers, content)
    spec = write_job(tmp_path, numbered(2))
    folder = Path(promptrun.ok("run", spec, env=hand_server.environment()).strip())
    assert len(hand_server.bodies) == 2, "each was asked once"
    assert [line["text"] for line in read_lines(folder / "results.jsonl")] == ["Hello from another server."] * 2


def test_a_reply_without_a_stop_reason_is_kept_and_does_not_pass_for_good(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = replied(200, {}, json.dumps({**json.loads(MESSAGE), "stop_reason": None}).encode())
    done = promptrun("run", write_job(tmp_path, numbered(2)), env=hand_server.environment())
    results = read_lines(Path(done.stdout.strip()) / "results.jsonl")
    assert (done.returncode, len(hand_server.bodies)) == (1, 2), done.stderr
    assert [(line["status"], line["text"]) for line in results] == [("invalid", "Hello from another server.")] * 2
    assert all(line["usage"] for line in results)
    assert "promptrun does not know why this reply ended" in done.stderr


def test_an_answer_that_is_not_http_is_not_asked_for_again(promptrun: Command, tmp_path: Path) -> None:
    with no_http() as (url, asked):
        done = promptrun("run", write_job(tmp_path, numbered(1)), env={**KEY, "ANTHROPIC_BASE_URL": url})
    assert (done.returncode, len(asked)) == (1, 1), done.stderr
    assert "the reply is not HTTP as it should be" in done.stderr
    assert "1 attempt without an outcome may have been billed" in done.stderr


def test_https_at_a_port_without_it_ends_at_once(promptrun: Command, tmp_path: Path) -> None:
    with no_http() as (url, _):
        secure = url.replace("http://", "https://")
        done = promptrun("run", write_job(tmp_path, numbered(3)), env={**KEY, "ANTHROPIC_BASE_URL": secure})
    assert done.returncode == 4
    assert "the server does not speak https at this port, and nothing was sent to it" in done.stderr


@contextmanager
def no_http() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server that speaks first, and no HTTP; and what it was told after that."""
    told: list[bytes] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"220 mail.example ESMTP\r\n")
                    told.append(connection.recv(1 << 16))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", told


# ---------------------------------------------------------------- where the credential goes

KEY = {"ANTHROPIC_API_KEY": "not-a-real-key"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://gateway.invalid:8080", "add `--allow-host gateway.invalid`"),
        ("https://me:hunter2@gateway.invalid", "holds a user name or password"),
        ("https://gateway.invalid/v1?key=hunter2", "holds more than a host and a path"),
    ],
)
def test_an_address_that_would_show_a_credential_is_refused(
    promptrun: Command, tmp_path: Path, url: str, says: str
) -> None:
    done = promptrun("run", write_job(tmp_path, numbered(1)), env={**KEY, "ANTHROPIC_BASE_URL": url})
    assert done.returncode == 2
    assert says in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_plain_http_goes_where_whoever_runs_the_job_allows_it(promptrun: Command, tmp_path: Path, how: str) -> None:
    env = {**KEY, "ANTHROPIC_BASE_URL": "http://gateway.invalid:8080"}
    words = ["--allow-host", "gateway.invalid"] if how == "flag" else []
    allowed = {"PROMPTRUN_ALLOW_HOSTS": "gateway.invalid"} if how == "variable" else {}
    promptrun.ok("validate", write_job(tmp_path, numbered(1)), *words, env={**env, **allowed})
