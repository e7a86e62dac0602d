"""Every way a command can end becomes text on stderr and an exit code (docs/exit-codes.md) here."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

import click

from runner import __version__
from runner.errors import PromptrunError

EXIT_BUG = 70
EXIT_INTERRUPTED = 130


def exit_code_of(command: click.Command, args: list[str]) -> int:
    """Run the command and say, in words and as a code, how it ended."""
    use_utf8()
    try:
        ended = command.main(args, prog_name="promptrun", standalone_mode=False)
        sys.stdout.flush()
        return ended if isinstance(ended, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PromptrunError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return quiet_pipe()
    except Exception:
        return report_bug(args)


def use_utf8() -> None:
    """Names and replies hold any character; a Windows console or a C locale must not turn one into a crash."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def quiet_pipe() -> int:
    """`promptrun render … | head` closes our stdout early: that is no error of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def report_bug(args: list[str]) -> int:
    """A traceback is for us: it goes to a file, and the user learns where it is and what to do with it."""
    report = (
        f"promptrun {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"command: {args[0] if args else ''}\n\n{traceback.format_exc()}"
    )
    try:
        handle, name = tempfile.mkstemp(prefix="promptrun-bug-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(report)
        where = f"The report is in {Path(name)}. Read it before you send it to us."
    except OSError:
        where = report
    click.echo(f"promptrun has a bug: {sys.exc_info()[1]!r}\n{where}", err=True)
    return EXIT_BUG
