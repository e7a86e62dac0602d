"""The exit codes that shells, CI and schedulers rely on (docs/exit-codes.md), each brought about for real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import SECONDS, Command, HandServer, error, message, numbered, read_lines, write_job

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that a test can send to one process")


def only_run(outputs: Path, job: str = "job") -> Path:
    (folder,) = [path.parent for path in (outputs / job).glob("*/run.json") if not path.parent.is_symlink()]
    return folder


# ---------------------------------------------------------------- 0 and 1


def test_0_and_one_folder_a_line_on_stdout(process: Command, hand_server: HandServer, tmp_path: Path) -> None:
    specs = [write_job(tmp_path, numbered(2), name=name) for name in ("first", "second")]
    printed = process.ok(*specs, "--output-dir", tmp_path / "out", env=hand_server.environment())

    folders = [Path(line) for line in printed.splitlines()]
    assert [folder.resolve().parent.name for folder in folders] == ["first", "second"]
    assert all((folder / "results.jsonl").exists() for folder in folders)


def test_1_when_a_request_has_no_good_answer(process: Command, hand_server: HandServer, tmp_path: Path) -> None:
    hand_server.behaviour = lambda server, body, n: (
        error(400, "invalid_request_error", "the word is not to our taste") if "word 3" in str(body) else message(body)
    )
    spec = write_job(tmp_path, numbered(6))
    done = process(spec, "--output-dir", tmp_path / "out", env=hand_server.environment())

    assert done.returncode == 1
    assert "the word is not to our taste" in done.stderr
    assert "r0003" in done.stderr
    statuses = {line["id"]: line["status"] for line in read_lines(only_run(tmp_path / "out") / "results.jsonl")}
    assert statuses == {row["id"]: "failed" if row["id"] == "r0003" else "ok" for row in numbered(6)}


# ---------------------------------------------------------------- 2


def test_2_for_a_wrong_spec_with_every_problem_and_nothing_sent(
    process: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    good = write_job(tmp_path, numbered(2), name="good")
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "name: bad\nmodel: claude-haiku-5-5\nmax_token: 64\nprompt: '{{ wrod }}'\neffort: hihg\n"
        "inputs:\n  - {id: a, word: one}\n",
        encoding="utf-8",
    )
    done = process(good, bad, "--output-dir", tmp_path / "out", env=hand_server.environment())

    assert done.returncode == 2
    assert hand_server.bodies == []
    assert "bad.yaml:3:1" in done.stderr
    assert "max_tokens" in done.stderr
    assert "bad.yaml:5:9" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [["run", "missing.yaml"], ["validate", "missing.yaml"], ["run", "--no-such-option"], ["walk"], ["show", "job@7"]],
    ids=" ".join,
)
def test_2_for_a_wrong_command_line(arguments: list[str], promptrun: Command, tmp_path: Path) -> None:
    done = promptrun(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_2_for_an_undefined_name_in_the_last_row(promptrun: Command, tmp_path: Path) -> None:
    spec = write_job(tmp_path, [*numbered(300), {"id": "last"}])
    done = promptrun("validate", spec)
    assert done.returncode == 2
    assert "word" in done.stderr
    assert "job.jsonl:301" in done.stderr


# ---------------------------------------------------------------- 4


def test_4_without_credentials_before_anything_is_sent(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    spec = write_job(tmp_path, numbered(2))
    done = promptrun(spec, "--output-dir", tmp_path / "out", env={"ANTHROPIC_BASE_URL": hand_server.url})

    assert done.returncode == 4
    assert hand_server.bodies == []
    assert "ANTHROPIC_API_KEY" in done.stderr
    assert "--simulate" in done.stderr


def test_4_when_a_run_that_goes_on_has_no_credentials_leaves_it_as_it_was(
    promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: (
        message(body) if n == 1 else error(401, "authentication_error", "invalid x-api-key")
    )
    spec = write_job(tmp_path, numbered(3), extra="run: {concurrency: 1}\n")
    arguments = (spec, "--output-dir", tmp_path / "out")
    assert promptrun(*arguments, env=hand_server.environment()).returncode == 4
    folder, asked = only_run(tmp_path / "out"), len(hand_server.bodies)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    assert promptrun(*arguments, env={"ANTHROPIC_BASE_URL": hand_server.url}).returncode == 4
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(hand_server.bodies) == asked


def test_4_when_the_key_is_refused_and_no_row_is_tried_again(
    process: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: error(401, "authentication_error", "invalid x-api-key")
    spec = write_job(tmp_path, numbered(200), extra="run: {concurrency: 4}\n")
    done = process(spec, "--output-dir", tmp_path / "out", env=hand_server.environment())

    assert done.returncode == 4
    assert len(hand_server.bodies) <= 8
    assert "not-a-real-key" not in done.stderr + done.stdout


# ---------------------------------------------------------------- 74, 75


def test_74_when_outputs_cannot_be_written(process: Command, hand_server: HandServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    spec = write_job(tmp_path, numbered(2))
    done = process(spec, "--output-dir", tmp_path / "file" / "out", env=hand_server.environment())
    assert done.returncode == 74
    assert hand_server.bodies == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_74_when_stdout_is_full_keeps_no_word_back(process: Command, hand_server: HandServer, tmp_path: Path) -> None:
    spec, out = write_job(tmp_path, numbered(2)), tmp_path / "out"
    words = [sys.executable, "-P", "-m", "runner.cli", str(spec), "--output-dir", str(out)]
    environment = {**process.environment, **hand_server.environment()}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 74
    assert "2 of 2 good" in done.stderr
    assert str(only_run(out)) in done.stderr
    assert "No space left" in done.stderr


def test_75_while_another_run_of_the_job_is_under_way(
    process: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = wait_for_release
    spec = write_job(tmp_path, numbered(3))
    arguments = (spec, "--output-dir", tmp_path / "out")
    first = process.start(*arguments, env=hand_server.environment())
    hand_server.wait_for(1, first)
    second = process(*arguments, env=hand_server.environment())
    hand_server.released.set()
    _, told = first.communicate(timeout=SECONDS)

    assert second.returncode == 75, second.stderr
    assert str(first.pid) in second.stderr
    assert first.returncode == 0, told
    assert len(hand_server.bodies) == 3


def wait_for_release(server: HandServer, body: dict, n: int) -> tuple:
    server.released.wait(SECONDS)
    return message(body)


# ---------------------------------------------------------------- 130, 143


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_what_came_and_goes_on(
    number: signal.Signals, code: int, promptrun: Command, hand_server: HandServer, tmp_path: Path
) -> None:
    hand_server.behaviour = lambda server, body, n: message(body) if n <= 20 else wait_for_release(server, body, n)
    spec = write_job(tmp_path, numbered(60), extra="run: {concurrency: 5}\n")
    arguments = (spec, "--output-dir", tmp_path / "out")
    run = promptrun.start(*arguments, env=hand_server.environment())
    hand_server.wait_for(25, run)
    interrupt(run, number)
    hand_server.released.set()
    _, told = run.communicate(timeout=SECONDS)
    assert run.returncode == code, told

    kept = read_lines(only_run(tmp_path / "out") / "results.jsonl")
    assert len(kept) == 25, "what was in flight is waited for, and nothing else is sent"
    assert promptrun(*arguments, env=hand_server.environment()).returncode == 0
    results = read_lines(only_run(tmp_path / "out") / "results.jsonl")
    assert [line["id"] for line in results] == [row["id"] for row in numbered(60)]
    assert len(hand_server.bodies) == 60, "an answer that was received is never paid for again"


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_run_has_begun(
    number: signal.Signals, code: int, promptrun: Command, tmp_path: Path
) -> None:
    spec = write_job(tmp_path, numbered(1))
    spec.write_text(spec.read_text(encoding="utf-8").replace("job.jsonl", "'-'\n  format: jsonl"), encoding="utf-8")
    arguments = [*promptrun.start_with, spec, "--simulate", "--output-dir", tmp_path / "out"]
    run = subprocess.Popen(
        list(map(str, arguments)),
        env=promptrun.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert run.stdin is not None
    run.stdin.write('{"id": "a", "word": "b"}\n' * 20_000)  # more than a pipe holds: it has begun to read, and waits
    run.stdin.flush()
    run.send_signal(number)
    _, told = run.communicate(timeout=SECONDS)
    assert (run.returncode, told.strip()) == (code, "interrupted")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_python_still_imports(name: str, code: int, process: Command, tmp_path: Path) -> None:
    sends = f"import signal\nsignal.raise_signal(signal.{name})\nraise SystemExit('it went on')\n"
    (tmp_path / "click.py").write_text(sends, encoding="utf-8")  # in the place of the first thing that takes long
    done = process("--help", env={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stderr) == (code, "interrupted\n")


def interrupt(run: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send the signal, and return once the run has said that it heard it."""
    run.send_signal(number)
    assert run.stderr is not None
    for line in run.stderr:
        if "in flight" in line:
            return
    raise AssertionError(f"the run ended with {run.wait()} and never said that it stops")


def test_the_json_summary_says_the_exit_code_too(promptrun: Command, hand_server: HandServer, tmp_path: Path) -> None:
    spec = write_job(tmp_path, numbered(2))
    done = promptrun(spec, "--format", "json", "--output-dir", tmp_path / "out", env=hand_server.environment())
    (summary,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert Path(summary["folder"]).resolve() == only_run(tmp_path / "out").resolve()
