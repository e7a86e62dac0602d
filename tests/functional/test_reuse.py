"""Answers that are known are not sent again: what an edit costs, what asks anew, and what may be used again."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import SECONDS, Answer, Command, HandServer, error, json_lines, message, numbered, read_lines, write_job

KEYS = {"ANTHROPIC_API_KEY": "not-a-real-key"}
SYSTEM = "system: Be brief.\n"


@pytest.fixture
def run(promptrun: Command, hand_server: HandServer) -> Callable[..., dict[str, Any]]:
    """Runs a spec against the hand-written server; gives the summary with `asked`: how many requests came."""

    def run(spec: Path, *words: str, code: int = 0) -> dict[str, Any]:
        before = len(hand_server.bodies)
        done = promptrun(spec, "--format", "json", *words, env=hand_server.environment())
        assert done.returncode == code, done.stderr
        (summary,) = json_lines(done.stdout)
        return {**summary, "asked": len(hand_server.bodies) - before, "stderr": done.stderr}

    return run


def results(summary: dict[str, Any]) -> list[dict[str, Any]]:
    return read_lines(Path(summary["folder"]) / "results.jsonl")


def test_one_edited_input_sends_one_and_an_edited_system_prompt_sends_all(tmp_path: Path, run: Any) -> None:
    rows = numbered(200)
    spec = write_job(tmp_path, rows, extra=SYSTEM)
    assert run(spec)["asked"] == 200
    rows[131]["word"] = "another word"
    write_job(tmp_path, rows, extra=SYSTEM)
    edited = run(spec)
    assert (edited["asked"], edited["reused"], edited["good"]) == (1, 199, 200)
    assert [line["id"] for line in results(edited) if line["reused_from"] is None] == ["r0131"]
    write_job(tmp_path, rows, extra=SYSTEM.replace("brief", "long"))
    assert run(spec)["asked"] == 200


@pytest.mark.parametrize("extra", ["# a word on it\n", "run: {concurrency: 3}\n", 'checks: [{ok: ">= 50%"}]\n'])
def test_a_comment_run_or_checks_send_nothing(tmp_path: Path, run: Any, extra: str) -> None:
    spec = write_job(tmp_path, numbered(5))
    first = run(spec)
    write_job(tmp_path, numbered(5), extra=extra)
    second = run(spec)
    assert (second["asked"], second["reused"], second["sent"], second["cost_usd"]) == (0, 5, 0, 0)
    assert "5 of 5 good (5 reused, 0 sent, $0.00)" in second["stderr"]
    lines = results(second)
    assert [line["reused_from"]["run"] for line in lines] == [first["run"]] * 5
    assert [line["text"] for line in lines] == [line["text"] for line in results(first)]
    assert [line["billed_usd"] for line in lines] == [0] * 5
    assert sum(line["cost_usd"] for line in lines) == pytest.approx(first["cost_usd"])


def test_a_run_that_knows_every_answer_needs_no_credentials_and_no_server(
    tmp_path: Path, run: Any, promptrun: Command, hand_server: HandServer
) -> None:
    spec = write_job(tmp_path, numbered(3))
    run(spec)
    hand_server.released.set()
    done = promptrun(spec, env={"ANTHROPIC_BASE_URL": hand_server.url})
    assert done.returncode == 0, done.stderr
    assert "3 reused, 0 sent" in done.stderr
    write_job(tmp_path, numbered(4))
    runs = list((tmp_path / "outputs" / "job").glob("2*/run.json"))
    done = promptrun(spec, env={"ANTHROPIC_BASE_URL": hand_server.url})
    assert done.returncode == 4
    assert list((tmp_path / "outputs" / "job").glob("2*/run.json")) == runs


LOADED = """
import json, sys
from runner.cli import main
try:
    main(sys.argv[2:])
except SystemExit as ended:
    code = ended.code
with open(sys.argv[1], "w", encoding="utf-8") as file:
    roots = sorted({name.partition(".")[0] for name in sys.modules})
    json.dump({"code": code, "roots": roots, "modules": sorted(sys.modules)}, file)
"""


def test_what_is_not_sent_needs_no_sdk(tmp_path: Path, promptrun: Command) -> None:
    spec = write_job(tmp_path, numbered(3))
    promptrun.ok(spec, "--simulate")
    command = [sys.executable, "-c", LOADED, str(tmp_path / "told.json"), "run", str(spec), "--simulate"]
    subprocess.run(command, env=promptrun.environment, cwd=promptrun.cwd, capture_output=True, check=True)
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert told["code"] in (0, None)
    assert not set(told["roots"]) & {"anthropic", "aiohttp", "tqdm"}
    assert "runner.engine.live" not in told["modules"]
    (_, second) = sorted((tmp_path / "outputs" / "simulated" / "job").glob("2*/results.jsonl"))
    assert all(line["reused_from"] for line in read_lines(second))


@pytest.mark.parametrize(("words", "extra"), [(["--fresh"], ""), ([], "run: {reuse: false}\n")])
def test_who_wants_new_answers_gets_them_and_they_are_the_newest(
    tmp_path: Path, run: Any, words: list[str], extra: str
) -> None:
    spec = write_job(tmp_path, numbered(3))
    run(spec)
    write_job(tmp_path, numbered(3), extra=extra)
    anew = run(spec, *words)
    assert (anew["asked"], anew["reused"]) == (3, 0)
    write_job(tmp_path, numbered(3))
    assert {line["reused_from"]["run"] for line in results(run(spec))} == {anew["run"]}


def test_an_answer_that_is_too_old_is_asked_for_again(tmp_path: Path, run: Any) -> None:
    spec = write_job(tmp_path, numbered(2))
    first = run(spec)
    path = Path(first["folder"]) / "results.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[1]["calls"][0]["attempts"][-1]["at"] = "2020-01-01T00:00:00.000Z"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_job(tmp_path, numbered(2), extra="run: {reuse: {max_age: 7d}}\n")
    assert run(spec)["asked"] == 1


def test_a_failed_request_is_sent_again_and_a_truncated_one_is_not(
    tmp_path: Path, run: Any, hand_server: HandServer
) -> None:
    def behave(server: HandServer, body: dict[str, Any], n: int) -> Answer:
        if "word 1" in str(body["messages"]):
            return error(400, "invalid_request_error", "no")
        status, headers, content = message(body)
        return status, headers, content.replace(b"end_turn", b"max_tokens")

    hand_server.behaviour = behave
    spec = write_job(tmp_path, numbered(2))
    first = run(spec, code=1)
    assert first["by_status"] == {"failed": 1, "truncated": 1}
    second = run(spec, code=1)
    assert (second["asked"], second["reused"]) == (1, 1)
    accepts = write_job(tmp_path, numbered(2), extra="output: {on_truncated: accept}\n")
    third = run(accepts, code=1)
    assert (third["asked"], third["good"], third["by_status"]) == (1, 1, {"failed": 1, "truncated": 1})


def test_without_responses_the_verdict_and_the_sums_stay(tmp_path: Path, run: Any) -> None:
    spec = write_job(tmp_path, numbered(3), extra="run: {keep: {response: false, row: [id]}}\n")
    kept = run(spec)
    whole = run(spec, "--fresh", "--set", "run.keep.response=true")
    assert [call["response"] for line in results(kept) for call in line["calls"]] == [None] * 3
    assert [line["row"] for line in results(kept)] == [{"id": f"r000{n}"} for n in range(3)]
    assert (kept["cost_usd"], kept["tokens"]) == (whole["cost_usd"], whole["tokens"])
    again = run(spec)
    assert (again["asked"], again["good"]) == (0, 3)


def test_the_index_may_be_lost_at_any_time(tmp_path: Path, run: Any) -> None:
    spec = write_job(tmp_path, numbered(3))
    run(spec)
    index = tmp_path / "outputs" / "job" / "index.db"
    for damage in (b"", b"garbage" * 2000, None):
        index.unlink() if damage is None else index.write_bytes(damage)
        assert run(spec)["asked"] == 0
    assert index.is_file()
    with sqlite3.connect(index) as db:
        assert db.execute("SELECT count(*) FROM answer").fetchone() == (3,)
    db.close()


def test_another_service_s_answers_are_not_ours(
    tmp_path: Path, run: Any, promptrun: Command, simulator: Callable[..., str], simulator_log: Any
) -> None:
    spec = write_job(tmp_path, numbered(2))
    run(spec)
    url = simulator()
    for _ in range(2):
        promptrun.ok(spec, env={"ANTHROPIC_BASE_URL": url, **KEYS})
        assert simulator_log(url)["messages"] == 2  # asked once, and once more they are known
    assert run(spec)["asked"] == 0


def test_a_simulator_s_answers_are_not_used_where_none_listens_now(
    tmp_path: Path, run: Any, promptrun: Command, hand_server: HandServer
) -> None:
    spec = write_job(tmp_path, numbered(2))
    summary = run(spec)
    path = Path(summary["folder"]) / "results.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"simulated":false', b'"simulated":true'))
    assert run(spec)["asked"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody remove a file that is open")
def test_a_results_folder_removed_underneath_ends_the_run_and_shows_what_still_came(
    tmp_path: Path, promptrun: Command, hand_server: HandServer
) -> None:
    def behave(server: HandServer, body: dict[str, Any], n: int) -> Answer:
        server.released.wait(SECONDS)
        return message(body, text=f"reply {n}")

    hand_server.behaviour = behave
    spec = write_job(tmp_path, numbered(20), extra="run: {concurrency: 3}\n")
    process = promptrun.start(spec, env=hand_server.environment())
    hand_server.wait_for(3, process)
    shutil.rmtree(tmp_path / "outputs")
    hand_server.released.set()
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 74
    assert "was removed or moved while it was being written" in said
    shown = [json.loads(line)["text"] for line in said.splitlines() if line.startswith("{")]
    assert sorted(shown) == ["reply 1", "reply 2", "reply 3"]
    assert len(hand_server.bodies) == 3
    assert "not-a-real-key" not in said


def test_a_strict_run_goes_as_any_other(tmp_path: Path, run: Any) -> None:
    spec = write_job(tmp_path, numbered(5), extra="run: {durability: strict}\n")
    assert (run(spec)["asked"], run(spec)["asked"]) == (5, 0)
