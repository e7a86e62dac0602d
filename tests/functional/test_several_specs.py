"""Several specs in one command: each goes on to its own end, and of their exit codes the gravest is the command's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import SECONDS, Answer, Command, HandServer, error, message, numbered, read_lines, write_job

ONE_AFTER_THE_OTHER = "run: {concurrency: 1}\n"
OTHER_MODEL = "claude-sonnet-5"


def is_of(body: dict[str, Any], word: str) -> bool:
    return word in json.dumps(body["messages"])


def rows(word: str, count: int) -> list[dict[str, Any]]:
    return [{"id": f"{word}-{n}", "word": f"{word} {n}"} for n in range(count)]


def results(outputs: Path, job: str) -> list[dict[str, Any]]:
    (folder,) = [path.parent for path in (outputs / job).glob("*/run.json") if not path.parent.is_symlink()]
    return read_lines(folder / "results.jsonl")


def with_model(spec: Path, model: str) -> Path:
    spec.write_text(spec.read_text(encoding="utf-8").replace("claude-haiku-5-5", model), encoding="utf-8")
    return spec


def first_and_second(folder: Path, count: int = 20) -> tuple[Path, Path]:
    """Two jobs that ask different models; the second takes longer to be done than the first to end."""
    first = write_job(folder, rows("one", count), name="first", extra=ONE_AFTER_THE_OTHER)
    second = write_job(folder, rows("two", 2 * count), name="second", extra=ONE_AFTER_THE_OTHER)
    return first, with_model(second, OTHER_MODEL)


def an_hour_for_the_first(server: HandServer, body: dict[str, Any], n: int) -> Answer:
    if is_of(body, "one"):
        return error(429, "rate_limit_error", "slow down", **{"retry-after": "3600"})
    return message(body)


def test_one_that_is_asked_to_try_later_stops_no_other(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = an_hour_for_the_first
    out = tmp_path / "out"
    done = promptrun(*first_and_second(tmp_path), "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 75, done.stderr
    assert [line["status"] for line in results(out, "second")] == ["ok"] * 40
    assert [line["status"] for line in results(out, "first")] == ["failed"]
    assert [Path(line).parent.name for line in done.stdout.splitlines()] == ["first", "second"]


def test_one_that_reaches_its_cap_stops_no_other(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    out, (first, second) = tmp_path / "out", first_and_second(tmp_path)
    first.write_text(
        first.read_text(encoding="utf-8").replace("{concurrency: 1}", "{concurrency: 1, max_cost: 0.00008}"),
        encoding="utf-8",
    )
    done = promptrun(first, second, "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 3, done.stderr
    assert 0 < len(results(out, "first")) < 20
    assert [line["status"] for line in results(out, "second")] == ["ok"] * 40


def test_one_whose_model_is_not_there_stops_no_other(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: (
        error(404, "not_found_error", "model: claude-haiku-5-5") if is_of(body, "one") else message(body)
    )
    out = tmp_path / "out"
    done = promptrun(*first_and_second(tmp_path), "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 1, done.stderr
    assert [line["status"] for line in results(out, "second")] == ["ok"] * 40


def test_one_that_another_process_runs_stops_no_other(
    process: Command, promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    def held(server: HandServer, body: dict[str, Any], n: int) -> Answer:
        if is_of(body, "one"):
            server.released.wait(SECONDS)
        return message(body)

    hand_server.behaviour = held
    out, (first, second) = tmp_path / "out", first_and_second(tmp_path, 10)
    other = process.start(first, "--output-dir", out, env=hand_server.environment())
    hand_server.wait_for(1, other)
    done = promptrun(first, second, "--output-dir", out, env=hand_server.environment())
    hand_server.released.set()
    other.communicate(timeout=SECONDS)
    assert done.returncode == 75, done.stderr
    at_once, at_the_end = [line for line in done.stderr.splitlines() if "`first` is being run by process" in line]
    assert at_once == f"{at_the_end}; the other jobs go on"
    assert [line["status"] for line in results(out, "second")] == ["ok"] * 20


def test_one_whose_rows_change_meanwhile_stops_no_other(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    first = write_job(tmp_path, rows("one", 20), name="first", extra=ONE_AFTER_THE_OTHER)
    second = with_model(write_job(tmp_path, rows("two", 40), name="second", extra=ONE_AFTER_THE_OTHER), OTHER_MODEL)

    def change(server: HandServer, body: dict[str, Any], n: int) -> Answer:
        if is_of(body, "one"):
            (tmp_path / "first.jsonl").write_text('{"id": "new", "word": "new"}\n', encoding="utf-8")
        return message(body)

    hand_server.behaviour = change
    done = promptrun(first, second, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert done.returncode == 2, done.stderr
    assert "changed" in done.stderr
    assert [line["status"] for line in results(tmp_path / "out", "second")] == ["ok"] * 40


def test_the_account_ends_all(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: (
        error(401, "authentication_error", "invalid x-api-key") if is_of(body, "one") else message(body)
    )
    out = tmp_path / "out"
    done = promptrun(*first_and_second(tmp_path, 200), "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 4, done.stderr
    assert len(results(out, "second")) < 400


def test_nine_specs_of_which_the_first_cannot_go_on(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    """More than are sent at once: the others begin when it is their turn."""
    hand_server.behaviour = an_hour_for_the_first
    first = write_job(tmp_path, rows("one", 5), name="first")
    others = [with_model(write_job(tmp_path, numbered(3), name=f"other-{n}"), OTHER_MODEL) for n in range(9)]
    done = promptrun(first, *others, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert done.returncode == 75, done.stderr
    assert len(done.stdout.splitlines()) == 10
    for n in range(9):
        assert [line["status"] for line in results(tmp_path / "out", f"other-{n}")] == ["ok"] * 3
