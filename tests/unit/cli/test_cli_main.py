"""How words on the command line become a command, and how every ending becomes a code."""

from __future__ import annotations

import errno
import importlib
import os
import py_compile
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from runner.cli import exits
from runner.cli.commands import COMMANDS, as_run, group, is_spec
from runner.cli.exits import exit_code_of
from runner.errors import AccountError, OutputError, PromptrunError, SpecError, TryLater


@pytest.mark.parametrize("word", ["job.yaml", "job.yml", "JOB.YAML", "specs/job", "specs\\job", "./x"])
def test_a_spec_is_known_by_its_ending_or_a_separator(word: str) -> None:
    assert is_spec(word)
    assert as_run([word, "--simulate"]) == ["run", word, "--simulate"]
    assert as_run(["--simulate", word]) == ["run", "--simulate", word]


@pytest.mark.parametrize(
    "args", [[], ["validate", "job.yaml"], ["--help"], ["runs", "triage"], ["typo"], ["valdate", "job.yaml"]]
)
def test_everything_else_is_left_alone(args: list[str]) -> None:
    assert as_run(args) == args


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["valdate", "job.yaml"], "no such command `valdate`; did you mean `validate`?"),
        (["triage"], "no such command `triage`; a spec ends in .yaml or holds a path separator"),
    ],
)
def test_an_unknown_command_names_a_near_one(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(group, args) == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("word", "offered"), [("va", [("plain", "validate")]), ("spe", [("file", "spe")])])
def test_completion_offers_commands_and_else_files(word: str, offered: list[tuple[str, str]]) -> None:
    complete = ShellComplete(group, {}, "promptrun", "_PROMPTRUN_COMPLETE")
    assert [(item.type, item.value) for item in complete.get_completions([], word)] == offered


def test_every_command_loads_and_has_an_example() -> None:
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert command.name == name
        assert "Example:" in (command.epilog or "")


def ending(error: BaseException | None, value: object = None) -> click.Command:
    @click.command()
    @click.argument("words", nargs=-1)
    def command(words: tuple[str, ...]) -> object:
        if error is not None:
            raise error
        return value

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpecError("bad spec"), 2),
        (click.UsageError("bad flag"), 2),
        (AccountError("no key"), 4),
        (OutputError("no space"), 74),
        (TryLater("locked"), 75),
        (PromptrunError("odd"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_a_known_ending_says_what_is_wrong_and_gives_its_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(ending(error), []) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (str(error) or "interrupted") in captured.err
    assert "Traceback" not in captured.err


def test_a_full_disk_under_stdout_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert exit_code_of(ending(full), []) == 74
    assert "could not write standard output or a temporary file: No space left" in capsys.readouterr().err


def test_a_file_of_another_user_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "outputs/triage/results.jsonl")
    assert exit_code_of(ending(theirs), []) == 74
    said = capsys.readouterr().err
    assert "could not read or write `outputs/triage/results.jsonl`: Permission denied" in said
    assert "Fix its permissions" in said


def test_a_module_that_a_full_disk_cut_off_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "half_compiled.py").write_text("whole = True\n", encoding="utf-8")
    compiled = Path(py_compile.compile(str(tmp_path / "half_compiled.py"), doraise=True) or "")
    compiled.write_bytes(compiled.read_bytes()[:-9])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(exits, "PACKAGE", tmp_path)  # not what the tests themselves have compiled

    @click.command()
    def importing() -> None:
        importlib.import_module("half_compiled")

    assert exit_code_of(importing, []) == 75
    said = capsys.readouterr().err
    assert f"`{compiled}` was cut off, as a full disk does it." in said
    assert "Run the same command again." in said
    assert exit_code_of(importing, []) == 0


def test_a_file_that_ends_early_is_not_taken_for_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert exit_code_of(ending(EOFError("half a file")), []) == 70
    assert "promptrun has a bug: EOFError('half a file')" in capsys.readouterr().err


def run_with(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A shell script with `$PROMPTRUN` in it."""
    env = {**os.environ, "PROMPTRUN": f"{sys.executable} -P -m runner.cli", "COLUMNS": "100"}
    return subprocess.run(["sh", "-c", script, "sh", *arguments], env=env, capture_output=True, text=True, check=False)


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes the streams")


@POSIX
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(closed: str, tmp_path: Path) -> None:
    spec = tmp_path / "job.yaml"
    spec.write_text("model: claude-haiku-5-5\nprompt: hi\n", encoding="utf-8")
    done = run_with(f'$PROMPTRUN plan "$1" {closed}', str(spec))
    assert (done.returncode, done.stderr) == (0, "")


@POSIX
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    spec = tmp_path / "job.yaml"
    spec.write_text("model: claude-haiku-5-5\nprompt: '{{ x }}'\ninputs: {file: rows.txt}\n", encoding="utf-8")
    spec.with_name("rows.txt").write_text("some words\n" * 5000, encoding="utf-8")
    script = '{ $PROMPTRUN render "$1" --set "prompt={{ text }}"; echo "exit $?" >&2; } | head -n 1'
    done = run_with(script, str(spec))
    assert done.stdout.count("\n") == 1
    assert done.stderr == "exit 0\n"


def test_what_a_command_returns_is_its_exit_code() -> None:
    assert exit_code_of(ending(None, 75), []) == 75
    assert exit_code_of(ending(None), []) == 0


def test_a_bug_leaves_its_traceback_in_a_file_and_names_it(
    capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile
    from pathlib import Path

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert exit_code_of(ending(ZeroDivisionError("oops")), ["plan"]) == 70
    shown = capsys.readouterr().err
    (report,) = Path(str(tmp_path)).glob("promptrun-bug-*.txt")
    assert str(report) in shown
    assert "Traceback" not in shown
    assert "ZeroDivisionError: oops" in report.read_text(encoding="utf-8")
    assert "command: plan" in report.read_text(encoding="utf-8")


def test_render_names_the_rows_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "job.yaml"
    spec.write_text(
        "model: claude-haiku-5-5\nprompt: '{{ w }}'\ninputs: {file: rows.csv, on_bad_row: skip}\n", encoding="utf-8"
    )
    spec.with_name("rows.csv").write_text("id,w\na,1\nb\n", encoding="utf-8")
    assert exit_code_of(group, ["render", str(spec)]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "rows.csv:3: warning: the row has 1 cell, the header 2" in captured.err


def test_a_plan_names_the_command_that_runs_just_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "my job.yaml"
    spec.write_text("model: claude-haiku-5-5\nprompt: '{{ id }}'\ninputs: [{id: a}, {id: b}]\n", encoding="utf-8")
    flags = ["--limit", "1", "--only", "b", "--set", "max_tokens=9", "--output-dir", str(tmp_path / "out")]
    assert exit_code_of(group, ["plan", str(spec), *flags]) == 0
    step = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(step) == ["next", "promptrun", str(spec), *flags]
