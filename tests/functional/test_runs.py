"""Runs beside each other and after each other: shards, waiting, retrying, joining, removing."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import SECONDS, Command, HandServer, error, json_lines, message, numbered, read_lines, write_job

from runner.store.lock import all_locks

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that a test can send to one process")


def runs_of(outputs: Path, job: str = "job") -> list[Path]:
    """The run folders of a job, the oldest first."""
    return sorted(path.parent for path in (outputs / job).glob("2*/run.json"))


def run_json(folder: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return tree


def content(folder: Path) -> dict[str, str]:
    """Every file below with the hash of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answers(folder: Path) -> list[tuple[Any, ...]]:
    return [
        (line["n"], line["id"], line["cell"], line["repeat"], line["key"], line["status"], line["text"])
        for line in read_lines(folder / "results.jsonl")
    ]


# ---------------------------------------------------------------- shards


def test_shards_joined_are_what_one_run_would_be(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(20), extra="matrix: {max_tokens: [900, 901]}\n")
    whole = Path(promptrun.ok(spec, "--simulate", "--output-dir", tmp_path / "whole").strip())
    shards = [
        promptrun.ok(spec, "--simulate", "--shard", f"{k}/3", "--output-dir", tmp_path / f"machine-{k}").strip()
        for k in (3, 1, 2)
    ]
    assert not list(tmp_path.glob("machine-*/simulated/job/latest*")), "a part is never the latest"
    assert [run_json(Path(shard))["shard"]["k"] for shard in shards] == [3, 1, 2]

    joined = Path(promptrun.ok("merge", *shards, "--output-dir", tmp_path / "joined").strip())
    assert answers(joined) == answers(whole)
    assert run_json(joined)["plan_hash"] == run_json(whole)["plan_hash"]
    assert (tmp_path / "joined" / "simulated" / "job" / "latest").exists() or sys.platform == "win32"
    usage = [json.loads((folder / "usage.json").read_text(encoding="utf-8")) for folder in (joined, whole)]
    assert usage[0]["tokens"] == usage[1]["tokens"]

    missing = promptrun("merge", *shards[:2], "--output-dir", tmp_path / "joined")
    assert missing.returncode == 2
    assert "without shard 2/3" in missing.stderr
    table = promptrun.ok("runs", "job", "--output-dir", tmp_path / "machine-2")
    assert "shard 2/3" in table
    assert "3 runs joined" in promptrun.ok("runs", "job", "--output-dir", tmp_path / "joined")


def test_shards_with_other_flags_are_not_joined(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(4), extra="vars: {tone: kind}\n")
    spec.write_text(spec.read_text(encoding="utf-8").replace("{{ word }}", "{{ word }} {{ tone }}"), encoding="utf-8")
    flags = (["--shard", "1/2"], ["--shard", "2/2", "--var", "tone=rude"])
    shards = [promptrun.ok(spec, "--simulate", *words, "--output-dir", tmp_path / "out").strip() for words in flags]
    done = promptrun("merge", *shards, "--output-dir", tmp_path / "out")
    assert done.returncode == 2
    assert "other flags" in done.stderr


@pytest.mark.parametrize("command", ["plan", "validate", "render"])
def test_a_shard_can_be_looked_at_first(command: str, promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(5))
    shown = promptrun.ok(command, spec, "--shard", "2/2")
    if command == "render":
        assert [line["id"] for line in json_lines(shown)] == ["r0001", "r0003"]
    else:
        assert "2 requests" in shown


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "2/0", "a/b", "1/1000000000000000000000"])
def test_a_shard_that_is_none(shard: str, promptrun: Command, tmp_path: Path) -> None:
    done = promptrun("plan", write_job(tmp_path, numbered(2)), "--shard", shard)
    assert done.returncode == 2
    assert "2/8" in done.stderr


def test_an_empty_shard_is_no_failure(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(1))
    done = promptrun(spec, "--simulate", "--shard", "2/2", "--output-dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- one at a time


def held(server: HandServer, body: dict[str, Any], n: int) -> Any:
    server.released.wait(SECONDS)
    return message(body)


def test_shards_run_side_by_side_and_one_shard_only_once(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = held
    spec = write_job(tmp_path, numbered(4))
    env = hand_server.environment()
    first = promptrun.start(spec, "--shard", "1/2", "--output-dir", tmp_path / "out", env=env)
    hand_server.wait_for(1, first)
    second = promptrun.start(spec, "--shard", "2/2", "--output-dir", tmp_path / "out", env=env)
    hand_server.wait_for(3, second)
    again = promptrun(spec, "--shard", "1/2", "--output-dir", tmp_path / "out", env=env)
    hand_server.released.set()
    told = [process.communicate(timeout=SECONDS)[1] for process in (first, second)]

    assert again.returncode == 75
    assert "shard 1/2" in again.stderr
    assert str(first.pid) in again.stderr
    assert [first.returncode, second.returncode] == [0, 0], told
    assert len(hand_server.bodies) == 4


def waits(process: subprocess.Popen[str]) -> str:
    """Returns what a process says once it waits for another."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("waiting:"):
            return line
    raise AssertionError(f"it ended with {process.wait()} and never waited")


def test_wait_comes_after_the_run_that_is_under_way(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = held
    spec = write_job(tmp_path, numbered(3))
    arguments = (spec, "--output-dir", tmp_path / "out")
    first = promptrun.start(*arguments, env=hand_server.environment())
    hand_server.wait_for(3, first)
    second = promptrun.start(*arguments, "--wait", env=hand_server.environment())
    said = waits(second)
    assert str(first.pid) in said
    assert len(hand_server.bodies) == 3, "nothing is sent by who waits"
    hand_server.released.set()
    first.communicate(timeout=SECONDS)
    _, rest = second.communicate(timeout=SECONDS)
    assert (first.returncode, second.returncode) == (0, 0), rest
    assert "waiting:" not in rest, "said once"
    assert len(runs_of(tmp_path / "out")) == 2
    assert len(hand_server.bodies) == 3, "who waited uses the answers of whom it waited for"


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_waits_can_be_stopped(
    number: signal.Signals, code: int, promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = held
    spec = write_job(tmp_path, numbered(1))
    arguments = (spec, "--output-dir", tmp_path / "out")
    first = promptrun.start(*arguments, env=hand_server.environment())
    hand_server.wait_for(1, first)
    second = promptrun.start(*arguments, "--wait", "--fresh", env=hand_server.environment())
    waits(second)
    second.send_signal(number)
    _, told = second.communicate(timeout=SECONDS)
    hand_server.released.set()
    first.communicate(timeout=SECONDS)
    assert second.returncode == code, told
    assert len(hand_server.bodies) == 1


# ---------------------------------------------------------------- retry


def refuses(*words: str) -> Any:
    """A server that answers 400 to prompts with one of these words."""

    def behave(server: HandServer, body: dict[str, Any], n: int) -> Any:
        asked = str(body["messages"])
        bad = any(f"'Say {word}'" in asked for word in words)
        return error(400, "invalid_request_error", "not to our taste") if bad else message(body)

    return behave


def test_retry_sends_the_failed_again_and_takes_over_the_rest(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = refuses("word 3", "word 5")
    spec = write_job(tmp_path, numbered(8))
    out = tmp_path / "out"
    assert promptrun(spec, "--output-dir", out, env=hand_server.environment()).returncode == 1
    (parent,) = runs_of(out)
    before = content(parent)

    hand_server.behaviour = refuses("word 5")
    sent = len(hand_server.bodies)
    done = promptrun("retry", "job@latest", "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 1, "one still fails: the codes are those of run"
    again = sorted(str(body["messages"]) for body in hand_server.bodies[sent:])
    assert ["word 3" in again[0], "word 5" in again[1], len(again)] == [True, True, 2]
    child = runs_of(out)[-1]
    assert content(parent) == before, "a finished run never changes"
    assert run_json(child)["parent"] == parent.name
    assert (run_json(child)["finished"], run_json(child)["limited"]) == (True, False)
    lines = read_lines(child / "results.jsonl")
    assert [line["id"] for line in lines] == [row["id"] for row in numbered(8)]
    taken = [line for line in lines if line["reused_from"]]
    assert len(taken) == 6
    assert all(line["billed_usd"] == 0 and line["reused_from"]["run"] == parent.name for line in taken)

    hand_server.behaviour = refuses()
    assert promptrun("retry", child, "--output-dir", out, env=hand_server.environment()).returncode == 0
    assert len(hand_server.bodies) == sent + 3
    nothing = promptrun("retry", "job@latest", "--output-dir", out, env=hand_server.environment())
    assert nothing.returncode == 0
    assert "nothing to send again" in nothing.stderr
    assert len(runs_of(out)) == 3


def refusal(body: dict[str, Any]) -> Any:
    """https://platform.claude.com/docs/en/test-and-evaluate/strengthen-guardrails/handle-streaming-refusals"""
    status, headers, content = message(body)
    return status, headers, content.replace(b'"end_turn"', b'"refusal"')


def test_retry_by_status(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    def behave(server: HandServer, body: dict[str, Any], n: int) -> Any:
        if "Say word 1" in str(body["messages"]):
            return refusal(body)
        return refuses("word 2")(server, body, n)

    hand_server.behaviour = behave
    spec = write_job(tmp_path, numbered(4), extra="fallbacks: off\n")
    out = tmp_path / "out"
    promptrun(spec, "--output-dir", out, env=hand_server.environment())
    sent = len(hand_server.bodies)
    hand_server.behaviour = refuses()
    done = promptrun("retry", "job@latest", "--status", "refused", "--output-dir", out, env=hand_server.environment())
    (body,) = hand_server.bodies[sent:]
    assert "word 1" in str(body)
    assert done.returncode == 1, "the failed one is still failed"
    statuses = [line["status"] for line in read_lines(runs_of(out)[-1] / "results.jsonl")]
    assert statuses == ["ok", "ok", "failed", "ok"]
    wrong = promptrun("retry", "job@latest", "--status", "ok", "--output-dir", out, env=hand_server.environment())
    assert wrong.returncode == 2
    assert "refused" in wrong.stderr


def test_retry_leaves_out_what_changed_since(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = refuses("word 1", "word 2")
    rows = numbered(5)
    spec = write_job(tmp_path, rows)
    out = tmp_path / "out"
    promptrun(spec, "--output-dir", out, env=hand_server.environment())
    rows[2]["word"] = "something else"
    write_job(tmp_path, [*rows, {"id": "later", "word": "later"}])

    sent = len(hand_server.bodies)
    hand_server.behaviour = refuses()
    done = promptrun("retry", "job@latest", "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 0, done.stderr
    assert len(hand_server.bodies) == sent + 1
    assert "1 row changed since, not sent: `r0002`" in done.stderr
    assert "1 row new since, not sent: `later`" in done.stderr
    child = runs_of(out)[-1]
    assert run_json(child)["limited"] is True
    assert [line["id"] for line in read_lines(child / "results.jsonl")] == ["r0000", "r0001", "r0003", "r0004"]


def test_retry_follows_the_flags_of_the_run(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: error(400, "invalid_request_error", "no")
    spec = write_job(tmp_path, numbered(6), extra="vars: {tone: kind}\n")
    spec.write_text(spec.read_text(encoding="utf-8").replace("{{ word }}", "{{ word }} {{ tone }}"), encoding="utf-8")
    out = tmp_path / "out"
    flags = ("--limit", "4", "--shard", "2/2", "--var", "tone=dry", "--set", "max_tokens=33")
    promptrun(spec, *flags, "--output-dir", out, env=hand_server.environment())
    sent = len(hand_server.bodies)
    assert sent == 2
    # from a folder below, by its path: nothing but the run says what was asked
    (tmp_path / "below").mkdir()
    done = promptrun("retry", runs_of(out)[0], cwd=tmp_path / "below", env=hand_server.environment())
    assert done.returncode == 1, done.stderr
    assert [body["max_tokens"] for body in hand_server.bodies[sent:]] == [33, 33]
    asked = sorted(map(str, hand_server.bodies[:sent]))
    assert sorted(map(str, hand_server.bodies[sent:])) == asked
    child = runs_of(out)[-1]
    assert run_json(child)["shard"] == {"k": 2, "of": 2, "limited": True}
    # and once more, of the retry: its own command line has none of the flags
    promptrun("retry", child, cwd=tmp_path / "below", env=hand_server.environment())
    assert len(hand_server.bodies) == sent + 4


def test_a_retry_of_joined_shards_is_of_all_their_rows(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = refuses("word 2", "word 3")
    spec, out = write_job(tmp_path, numbered(6)), tmp_path / "out"
    env = hand_server.environment()
    shards = [promptrun(spec, "--shard", f"{k}/2", "--output-dir", out, env=env).stdout.strip() for k in (1, 2)]
    promptrun("merge", *shards, "--output-dir", out)
    hand_server.behaviour = lambda server, body, n: message(body)
    done = promptrun("retry", "job@latest", "--output-dir", out, env=env)
    assert done.returncode == 0, done.stderr
    assert len(hand_server.bodies) == 8
    child = runs_of(out)[-1]
    assert [line["id"] for line in read_lines(child / "results.jsonl")] == [f"r{n:04}" for n in range(6)]
    assert run_json(child)["shard"] is None


@POSIX
def test_a_retry_that_was_interrupted_goes_on(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = refuses(*(f"word {n}" for n in range(6)))
    spec = write_job(tmp_path, numbered(8), extra="run: {concurrency: 2}\n")
    out = tmp_path / "out"
    promptrun(spec, "--output-dir", out, env=hand_server.environment())
    sent = len(hand_server.bodies)
    hand_server.behaviour = lambda server, body, n: message(body) if n <= sent + 2 else held(server, body, n)
    retry = promptrun.start("retry", "job@1", "--output-dir", out, env=hand_server.environment())
    hand_server.wait_for(sent + 4, retry)
    retry.send_signal(signal.SIGINT)
    said = "".join(iter(lambda: next_until(retry, "in flight"), ""))
    hand_server.released.set()
    _, rest = retry.communicate(timeout=SECONDS)
    assert retry.returncode == 130, said + rest
    parent, child = runs_of(out)
    assert f"promptrun retry {parent.name}" in rest, "`job@1` is another run by now"

    done = promptrun("retry", parent.name, "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 0, done.stderr
    assert runs_of(out) == [parent, child], "the same run goes on"
    assert len(hand_server.bodies) == sent + 6
    assert all(line["good"] for line in read_lines(child / "results.jsonl"))


def next_until(process: subprocess.Popen[str], words: str) -> str:
    """The next line of what it says, "" after the one with these words."""
    assert process.stderr is not None
    line = process.stderr.readline()
    return "" if words in line else line


def test_a_run_that_is_not_finished_can_be_retried_too(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: (
        error(529, "overloaded_error", "Overloaded") if "word 1'" in str(body["messages"]) else message(body)
    )
    spec = write_job(tmp_path, numbered(3), extra="run: {retry: {max: 0}}\n")
    out = tmp_path / "out"
    assert promptrun(spec, "--output-dir", out, env=hand_server.environment()).returncode == 75
    hand_server.behaviour = refuses()
    done = promptrun("retry", "job@1", "--output-dir", out, env=hand_server.environment())
    assert done.returncode == 0, done.stderr
    assert "is not finished" in done.stderr
    assert len(hand_server.bodies) == 4


def test_retry_of_what_is_not_there(promptrun: Command, tmp_path: Path) -> None:
    done = promptrun("retry", "job@latest", "--output-dir", tmp_path / "out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- prune


def test_a_dry_run_of_prune_only_looks(promptrun: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    promptrun.ok(write_job(tmp_path, numbered(1)), "--simulate", "--output-dir", out)
    with all_locks(out / "simulated" / "job", at="2026-11-22T09:28:11.123Z"):
        assert promptrun("prune", "job", "--output-dir", out).returncode == 75
        assert "kept" in promptrun.ok("prune", "job", "--dry-run", "--output-dir", out)


def test_prune_keeps_what_a_later_run_would_pay_for(promptrun: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = numbered(3)
    for _ in range(4):
        spec = write_job(tmp_path, rows)
        promptrun.ok(spec, "--simulate", "--fresh", "--output-dir", out)
    runs = runs_of(out / "simulated")
    promptrun.ok("prune", "job", "--pin", runs[0].name, "--output-dir", out)
    dry = promptrun.ok("prune", "job", "--keep", "1", "--dry-run", "--output-dir", out)
    assert len(runs_of(out / "simulated")) == 4
    assert dry.count("would go") == 2

    told = promptrun("prune", "job", "--keep", "1", "--output-dir", out)
    assert told.returncode == 0
    assert runs_of(out / "simulated") == [runs[0], runs[3]]
    assert "pinned" in told.stdout
    assert "2 of 4 runs removed" in told.stderr
    assert "pinned" in promptrun.ok("runs", "job", "--output-dir", out)
    promptrun.ok("prune", "job", "--unpin", runs[0].name, "--output-dir", out)
    (line,) = [
        line
        for line in json_lines(promptrun.ok("prune", "job", "--keep", "1", "--format", "json", "--output-dir", out))
        if line["removed"]
    ]
    assert (line["run"], line["kept"]) == (runs[0].name, None)
    assert line["bytes"] > 0
    promptrun.ok("show", "job@latest", "--output-dir", out)


def test_prune_waits_for_nobody(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = held
    spec = write_job(tmp_path, numbered(2))
    run = promptrun.start(spec, "--shard", "1/2", "--output-dir", tmp_path / "out", env=hand_server.environment())
    hand_server.wait_for(1, run)
    done = promptrun("prune", "job", "--output-dir", tmp_path / "out")
    hand_server.released.set()
    run.communicate(timeout=SECONDS)
    assert done.returncode == 75
    assert "shard 1/2" in done.stderr


def test_a_run_of_another_job_is_not_pinned(promptrun: Command, tmp_path: Path) -> None:
    for name in ("one", "two"):
        promptrun.ok(write_job(tmp_path, numbered(1), name=name), "--simulate", "--output-dir", tmp_path / "out")
    (other,) = runs_of(tmp_path / "out" / "simulated", "two")
    done = promptrun("prune", "one", "--pin", other.name, "--output-dir", tmp_path / "out")
    assert done.returncode == 2
    assert not (other / "pinned").exists()


# ---------------------------------------------------------------- checks


@pytest.mark.parametrize(("wanted", "code"), [(">= 80%", 0), (">= 90%", 1)])
def test_a_check_says_how_many_good_answers_are_enough(
    wanted: str, code: int, promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = refuses("word 3")
    spec = write_job(tmp_path, numbered(5), extra=f'checks: [{{ok: "{wanted}"}}]\n')
    done = promptrun(spec, "--output-dir", tmp_path / "out", env=hand_server.environment())
    assert done.returncode == code
    assert f"ok 80%, wanted {wanted}: {'failed' if code else 'passed'}" in done.stderr
