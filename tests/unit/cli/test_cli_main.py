"""How words on the command line become a command, and how every ending becomes a code."""

from __future__ import annotations

import click
import pytest

from runner.cli import COMMANDS, as_run, group, is_spec
from runner.cli.exits import exit_code_of
from runner.errors import AccountError, OutputError, PromptrunError, SpecError, TryLater


@pytest.mark.parametrize("word", ["job.yaml", "job.yml", "JOB.YAML", "specs/job", "specs\\job", "./x"])
def test_a_spec_is_known_by_its_ending_or_a_separator(word: str) -> None:
    assert is_spec(word)
    assert as_run([word, "--simulate"]) == ["run", word, "--simulate"]
    assert as_run(["--simulate", word]) == ["run", "--simulate", word]


@pytest.mark.parametrize("args", [[], ["validate", "job.yaml"], ["--help"], ["runs", "triage"], ["typo"]])
def test_everything_else_is_left_alone(args: list[str]) -> None:
    assert as_run(args) == args


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
